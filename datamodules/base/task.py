"""The base of every task: what its episodes are. Storing, sampling, prompts, weights and logging come with it.

A new task is a subclass that sets `observation_space` and `action_space` and says which `jobs` make its episodes; if it is an
environment, see `control.py`.
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

FORMAT = 2  # of stored episodes; raise it when their meaning changes, so that old stores are made anew


class TaskDataModule(LightningDataModule):
    """One task of the mixture.

    Args:
        timesteps: most timesteps of a training window, 1 or more; None: as many as fit into the context.
        seed: of everything random in making the episodes; 0 or more.

    Raises:
        UserError: an argument of the subclass, or of this, is outside the range in its annotation.

    Attributes:
        domain: the suite, by which weights and scores are grouped.
        images: how an image from outside is resized to look like those of the task, where it has such.
        max_faults: share of a split's examples that may be faulty, in [0, 1]; those are left out and listed.
        unit: what `num_examples` counts.
        sequences_per_part: where the training part is streamed (`stream.py`), so many sequences are drawn from the episodes of
            one job before those of the next; None: all episodes are stored beforehand.
        observation_space, action_space: the schema; set by the subclass.
        name, text_tokenizer, context_length, tokenizer: handed in by the mixture, see `connect`.
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
        # Hyperparameters go into the cache key here; they reach checkpoints through the run's config.
        self.save_hyperparameters(logger=False)
        check_settings(self.hparams, type(self))

    def jobs(self, split: Split) -> list[Job]:
        """Pieces of work that make the split's episodes, each a few seconds long; run in worker processes, kept in order."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """All that shapes the episodes, as JSON; by default every constructor argument but those of sampling and collecting."""
        others = ("timesteps", "sequences_per_part", "time_limit")
        shaping = {key: value for key, value in self.hparams.items() if key not in others}
        return {key: asdict(value) if is_dataclass(value) else value for key, value in shaping.items()}

    def measurements(self) -> dict[str, list[Measurement]]:
        """Pieces of work that measure reference returns, by the name of the policy; only environments have them."""
        return {}

    def keep(self, episode: TokenEpisode, references: dict[str, dict[str, float]]) -> bool:
        """Whether an episode is good enough to be stored."""
        return True

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        """How many examples the episodes hold, to set faults against; by default one a timestep."""
        return sum(len(episode.timesteps) for episode in episodes)

    def allowed_faults(self, count: int) -> float:
        """Share of so many examples, a split's or a part's, that may be faulty; in [0, 1]."""
        return self.max_faults

    def control(self) -> ControlTask | None:
        """The environment to roll out in, if the task has one."""
        return None

    def action_bounds(self) -> dict[str, list[list[float]]]:
        """By column, the low and high bounds that its actions were given by the data; after `connect`."""
        return {}

    def acting(self) -> ControlTask | None:
        """How to act in the task, where its environment may be elsewhere, as a robot is; by default in that of `control`."""
        return self.control()

    def generation(self) -> GenerationTask | None:
        """Held-out examples to write text for, if the task has such."""
        return None

    def training_examples(self) -> GenerationTask | None:
        """Training examples in the same form, to compare with, if the task keeps them apart; after `setup`."""
        return None

    def connect(
        self, name: str, vocabulary: Vocabulary, text_tokenizer: TextTokenizer, context_length: int, cache_dir: Path
    ) -> None:
        """Hands in what is the same for all tasks of a mixture.

        Raises:
            UserError: a space that cannot be tokenised, or whose timesteps are too long for the context; names the task.
        """
        self.name, self.text_tokenizer, self.context_length = name, text_tokenizer, context_length
        self._cache_dir = cache_dir
        try:
            self.tokenizer = TimestepTokenizer(self.observation_space, self.action_space, vocabulary, text_tokenizer)
            self.tokenizer.check_context(context_length)
        except UserError as error:
            raise UserError(f"task {name}: {error}") from error

    def folder(self, split: Split) -> Path:
        """Where the split's episodes lie: a name made of every setting that shaped them."""
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
        """An episode as tokens.

        Raises:
            UserError: a value without a token, or a timestep longer than the context; names key and timestep.
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
        """Stores the split's episodes, without those that are not good enough; returns how many were left out.

        Raises:
            UserError: nothing is left to store, or too many examples are faulty.
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
            # Stores do not depend on the context; they may have been made for a longer one.
            raise UserError(f"task {self.name}: {TIMESTEP_TOO_LONG.format(widest, self.context_length)}")

    @property
    def stored_splits(self) -> tuple[Split, ...]:
        """The splits whose episodes are stored before training."""
        return ("train", "val") if self.sequences_per_part is None else ("val",)
