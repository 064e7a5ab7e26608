"""Dialogue: turns of named roles, from JSON Lines."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from datamodules.base.faults import Fault
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.readers.files import find, fingerprint, json_lines, text_field
from gato_lightning.common.settings import PositiveInt, ShareBelowOne, ShareBetween
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.lengths import check_length

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


class DialogueDataModule(TaskDataModule):
    """A task of dialogues: an episode is a dialogue, a timestep a turn; the observation is the role, the action the text.

    Each line of a file is a JSON object with a list `messages` of objects such as `{"role": "user", "content": "Hello"}`.

    Args:
        sources: files in JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst), or folders of such files.
        loss_roles: roles whose turns count in the loss; the other turns are only context.
        held_out: share of the dialogues that is never trained on, chosen by a hash of their messages, in (0, 1).
        max_faults: share of the dialogues that may be faulty, in [0, 1); they are left out and listed. A larger share ends
            the run.
        timesteps: maximum number of turns in a training window, 1 or more; None: as many as fit.
    """

    domain = "dialogue"

    def __init__(
        self,
        sources: Sequence[str],
        loss_roles: Sequence[str] = ("assistant",),
        held_out: ShareBetween = 0.1,
        max_faults: ShareBelowOne = 0.01,
        timesteps: PositiveInt | None = None,
    ) -> None:
        super().__init__(timesteps=timesteps)
        if not loss_roles:
            raise UserError("loss_roles is empty; expected at least one role to learn from")
        self.sources, self.loss_roles = tuple(sources), frozenset(loss_roles)
        self.held_out, self.max_faults = held_out, max_faults
        self.observation_space = spaces.Dict({"role": spaces.Text(max_length=100)})
        self.action_space = spaces.Text(max_length=1_000_000)

    def settings(self) -> dict[str, Any]:
        """Returns the arguments, the fingerprints of the files, and the context length, which every turn must fit."""
        files = [fingerprint(path) for path in self._files()]
        return {**super().settings(), "files": files, "context_length": self.context_length}

    def jobs(self, split: Split) -> list[Job]:
        """Returns one job per file, which reads the split's dialogues."""
        return [partial(self._episodes, split, path) for path in self._files()]

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        """Returns the number of dialogues."""
        return len(episodes)

    def _files(self) -> list[Path]:
        return [path for source in self.sources for path in find(source, _SUFFIXES)]

    def _episodes(self, split: Split, path: Path) -> Iterator[Episode | Fault]:
        for line in json_lines(path):
            if isinstance(line, Fault):
                yield line
                continue
            place, row = line
            try:
                if is_held_out(json.dumps(row.get("messages"), sort_keys=True), self.held_out) == (split == "val"):
                    yield self._episode(row)
            except UserError as error:
                yield Fault(f"{place}: {error}")

    def _episode(self, row: Mapping[str, Any]) -> Episode:
        """Returns a dialogue as an episode.

        Raises:
            UserError: if it has no turns, no turn counts in the loss, or a turn is empty or too long.
        """
        messages = row.get("messages")
        if not isinstance(messages, list) or not messages or not all(isinstance(turn, dict) for turn in messages):
            raise UserError("expected a list of objects under 'messages'")
        roles, texts = [], []
        for number, turn in enumerate(messages):
            try:
                roles.append(text_field(turn, "role"))
                texts.append(text_field(turn, "content").strip())
                observed = len(self.text_tokenizer.encode(roles[-1]))
                check_length(observed, observed + len(self.text_tokenizer.encode(texts[-1])) + 2, self.context_length)
            except UserError as error:
                raise UserError(f"messages[{number}]: {error}") from error
        counted = np.array([role in self.loss_roles for role in roles])
        if not counted.any():
            raise UserError(f"no turn of {' or '.join(sorted(self.loss_roles))}, whose turns count in the loss")
        return Episode({"role": roles}, texts, np.zeros(len(texts), np.float32), source="dialogue", counted=counted)
