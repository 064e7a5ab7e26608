"""The base class of every task. It provides storing, sampling, prompts, weights and logging.

A new task is a subclass that sets `observation_space` and `action_space` and returns from `jobs` the work that makes its
episodes; for an environment, see `datamodules/control/expert_task.py`.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import gymnasium
from lightning import LightningDataModule

from datamodules.base.faults import Fault, check_faults
from gato_lightning.common.public_name import public_name
from gato_lightning.common.settings import PositiveInt, Seed, check_settings
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.sequences.tasks import ControlTask, GenerationTask
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.lengths import TIMESTEP_TOO_LONG, check_length
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

Split = Literal["train", "val"]
Job = Callable[[], Iterable[Episode | Fault]]
Measurement = Callable[[], list[float]]

FORMAT = 2  # version of stored episodes; increase it when their meaning changes, so that stores are made anew


class TaskDataModule(LightningDataModule):
    """One task of the mixture.

    Args:
        timesteps: maximum number of timesteps in a training window, 1 or more; None: as many as fit into the context.
        seed: seed of all random choices made while the episodes are made, 0 or more.

    Raises:
        UserError: if an argument, here or in a subclass, is outside the range in its annotation.

    Attributes:
        domain: the suite, by which weights and scores are grouped.
        images: how an image file is resized to match the images of the task; None for a task without image files.
        max_faults: share of a split's examples that may be faulty, in [0, 1]; faulty examples are left out and listed.
        unit: the unit that `num_examples` counts.
        sequences_per_part: for a streamed training split (`stream.py`), the number of sequences drawn from the episodes of
            one job before the next job is read; None: all episodes are stored before training.
        observation_space, action_space: the schema; set by the subclass.
        name, text_tokenizer, context_length, tokenizer: set by the mixture, see `connect`.
    """

    domain: ClassVar[str]
    images: ImageSettings | None = None
    max_faults: float = 0.0
    unit: ClassVar[str] = "examples"
    sequences_per_part: int | None = None
    observation_space: gymnasium.Space
    action_space: gymnasium.Space
    name: str
    text_tokenizer: TextTokenizer
    context_length: int

    def __init__(self, timesteps: PositiveInt | None = None, seed: Seed = 0) -> None:
        super().__init__()
        self.timesteps, self.seed = timesteps, seed
        # The hyperparameters are part of the cache key; checkpoints get them from the run's config.
        self.save_hyperparameters(logger=False)
        check_settings(self.hparams, type(self))

    def jobs(self, split: Split) -> list[Job]:
        """Returns the jobs that make the split's episodes, each a few seconds long.

        They run in worker processes; their results keep this order.
        """
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Returns all settings that shape the episodes, as JSON; by default all arguments but those of sampling and limits."""
        others = ("timesteps", "sequences_per_part", "time_limit")
        shaping = {key: value for key, value in self.hparams.items() if key not in others}
        return {key: asdict(value) if is_dataclass(value) else value for key, value in shaping.items()}

    def measurements(self) -> dict[str, list[Measurement]]:
        """Returns the jobs that measure reference returns, by policy name; only tasks with an environment have them."""
        return {}

    def keep(self, episode: TokenEpisode, references: dict[str, dict[str, float]]) -> bool:
        """Returns whether an episode is good enough to be stored."""
        return True

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        """Returns the number of examples in the episodes, from which the faulty share follows; by default one per timestep."""
        return sum(len(episode.timesteps) for episode in episodes)

    def allowed_faults(self, count: int) -> float:
        """Share of so many examples, a split's or a part's, that may be faulty; in [0, 1]."""
        return self.max_faults

    def control(self) -> ControlTask | None:
        """Returns the environment for rollouts, or None if the task has none."""
        return None

    def action_bounds(self) -> dict[str, list[list[float]]]:
        """By column, the low and high bounds that its actions were given by the data; after `connect`."""
        return {}

    def acting(self) -> ControlTask | None:
        """How to act in the task, where its environment may be elsewhere, as a robot is; by default in that of `control`."""
        return self.control()

    def generation(self) -> GenerationTask | None:
        """Returns held-out examples that the model writes text for, or None if the task has none."""
        return None

    def training_examples(self) -> GenerationTask | None:
        """Returns training examples in the form of `generation`, for comparison, or None; call after `setup`."""
        return None

    def connect(
        self, name: str, vocabulary: Vocabulary, text_tokenizer: TextTokenizer, context_length: int, cache_dir: Path
    ) -> None:
        """Sets the task's name and what all tasks of a mixture share.

        Raises:
            UserError: if a space cannot be tokenised, or its timesteps are too long for the context; names the task.
        """
        self.name, self.text_tokenizer, self.context_length = name, text_tokenizer, context_length
        self._cache_dir = cache_dir
        try:
            self.tokenizer = TimestepTokenizer(self.observation_space, self.action_space, vocabulary, text_tokenizer)
            self.tokenizer.check_context(context_length)
        except UserError as error:
            raise UserError(f"task {name}: {error}") from error

    def folder(self, split: Split) -> Path:
        """Returns the folder of the split's store; its name contains a hash of all settings that shape the episodes."""
        shaped = {
            "format": FORMAT,
            "class": public_name(type(self)),
            "settings": self.settings(),
            "tokenizer": self.text_tokenizer.sha256,
            "separate_discrete": self.tokenizer.vocabulary.separate_discrete,
        }
        key = hashlib.sha256(json.dumps(shaped, sort_keys=True, default=str).encode()).hexdigest()[:16]
        return self._cache_dir / f"{self.name}-{split}-{key}"

    def tokenise(self, episode: Episode) -> TokenEpisode:
        """Returns an episode as tokens.

        Raises:
            UserError: if a value has no token, or a timestep is longer than the context; names key and timestep.
        """
        timesteps = self.tokenizer.encode_episode(episode)
        observed = max(layout.kinds.index(Kind.SEPARATOR) for layout in timesteps.layouts)
        check_length(observed, int(timesteps.num_slots.max(initial=0)), self.context_length)
        return TokenEpisode(timesteps, float(episode.rewards.sum()), episode.source, episode.examples)

    def write(
        self,
        split: Split,
        episodes: list[TokenEpisode],
        references: dict[str, dict[str, float]],
        faults: Sequence[Fault] = (),
    ) -> int:
        """Stores those of the split's episodes that are good enough, and returns how many were left out.

        Raises:
            UserError: if no episode is left to store, or too many examples are faulty.
        """
        folder = self.folder(split)
        check_faults(
            self.name,
            split,
            faults,
            self.num_examples(episodes),
            self.allowed_faults(self.num_examples(episodes) + sum(fault.examples for fault in faults)),
            folder.with_name(f"{folder.name}.faults.txt"),
            self.unit,
        )
        kept = [episode for episode in episodes if self.keep(episode, references)]
        if not kept:
            raise UserError(f"task {self.name}: none of {len(episodes)} {split} episodes is good enough to train on")
        dropped = len(episodes) - len(kept)
        meta = {"task": self.name, "settings": self.settings(), "references": references, "dropped": dropped}
        write_store(folder, kept, meta)
        return dropped

    def setup(self, stage: str) -> None:
        """Opens the stores that `prepare_data` of the mixture made."""
        self.stores: dict[str, EpisodeStore] = {split: EpisodeStore(self.folder(split)) for split in self.stored_splits}
        widest = max(store.widest for store in self.stores.values())
        if widest > self.context_length:
            # The key of a store does not contain the context length, so it may have been made for a longer context.
            raise UserError(f"task {self.name}: {TIMESTEP_TOO_LONG.format(widest, self.context_length)}")

    @property
    def stored_splits(self) -> tuple[Split, ...]:
        """The splits whose episodes are stored before training."""
        return ("train", "val") if self.sequences_per_part is None else ("val",)
