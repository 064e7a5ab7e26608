"""The base of tasks whose episodes were recorded before, with or without the environment that they come from."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import ClassVar

import gymnasium
import numpy as np
from lightning.pytorch.utilities import rank_zero_info

from datamodules.base.task import Job, Measurement, Split
from datamodules.control.column_ranges import ActionScaling, ColumnRange, remembered
from datamodules.control.environment_task import EPISODES_PER_JOB, EnvironmentTask, seed_ranges
from gato_lightning.common.public_name import public_name
from gato_lightning.common.settings import FiniteFloat, PositiveFloat, PositiveInt, Seed
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.sequences.tasks import MAX_EPISODE_STEPS, REFERENCE_SEED, ControlTask, Reference
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary


class RecordedTask(EnvironmentTask):
    """Recorded episodes. Actions without bounds are scaled by the values that they take.

    Args:
        val_episodes: held out for the validation loss, 1 or more, evenly spread over the data set; at most half of it.
        min_score: episodes with a lower normalised score are left out; null keeps all. Where the return of random play is not
            known and cannot be measured, it counts as 0.
        reference_episodes: of random play, where the data do not tell its return; 1 or more.
        scaling: how actions without bounds get bounds from the data.
        timesteps: most timesteps of a window, in training and acting, 1 or more; None: as many as fit.
        seed: of everything random in making the episodes; 0 or more.
        time_limit: seconds that an episode of random play may take, above 0.
        max_episode_steps: an episode of random play, or of a rollout, that has not ended by then is cut there; 1 or more.

    Attributes:
        playable: whether the environment can be made.
        known: returns of policies that the data tell, by the policy's name.
        ranges: by the name of a column, what was measured of it; after `connect`.
    """

    playable: bool = False
    known: Mapping[str, Reference] = {}
    ranges: Mapping[str, ColumnRange] = {}
    episodes_per_job: ClassVar[int] = EPISODES_PER_JOB
    # Settings that change nothing of what is measured.
    beside: ClassVar[tuple[str, ...]] = ("val_episodes", "min_score", "reference_episodes", "max_faults", "max_episode_steps")

    def __init__(
        self,
        val_episodes: PositiveInt = 10,
        min_score: FiniteFloat | None = None,
        reference_episodes: PositiveInt = 200,
        scaling: ActionScaling = ActionScaling(),
        timesteps: PositiveInt | None = 1,
        seed: Seed = 0,
        time_limit: PositiveFloat = 300.0,
        max_episode_steps: PositiveInt = MAX_EPISODE_STEPS,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed, time_limit=time_limit, max_episode_steps=max_episode_steps)
        self.val_episodes, self.min_score = val_episodes, min_score
        self.reference_episodes, self.scaling = reference_episodes, scaling

    @property
    def num_episodes(self) -> int:
        """How many episodes there are, those that are held out included."""
        raise NotImplementedError

    def episodes(self, numbers: np.ndarray) -> Job:
        """The job that makes the episodes of these numbers."""
        raise NotImplementedError

    def returns(self, numbers: range) -> list[float]:
        """The return of each episode of these numbers."""
        raise NotImplementedError

    def measure_columns(self) -> dict[str, ColumnRange]:
        """The ranges that the spaces need; they are kept beside the stores."""
        raise NotImplementedError

    def set_spaces(self) -> None:
        """Sets what of the spaces follows from `ranges`."""
        raise NotImplementedError

    def action_bounds(self) -> dict[str, list[list[float]]]:
        return {column: [found.low, found.high] for column, found in self.ranges.items() if self.is_scaled(column)}

    def is_scaled(self, column: str) -> bool:
        """Whether a column that was measured is scaled by its range."""
        return True

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """The environment that the episodes were recorded in.

        Raises:
            UserError: there is none that could be made.
        """
        raise UserError(f"task {self.name}: its data come without an environment")

    def connect(
        self, name: str, vocabulary: Vocabulary, text_tokenizer: TextTokenizer, context_length: int, cache_dir: Path
    ) -> None:
        shaped = {key: value for key, value in self.settings().items() if key not in self.beside}
        described = json.dumps([public_name(type(self)), shaped], sort_keys=True, default=str)
        key = hashlib.sha256(described.encode()).hexdigest()[:16]
        self.ranges = remembered(cache_dir / f"{name}-ranges-{key}.json", self.measure_columns)
        self.set_spaces()
        for column, found in self.ranges.items():
            if self.is_scaled(column):
                rank_zero_info(f"task {name}: {column} is scaled by the data, {found.clipped:.2%} of its values are clipped")
        super().connect(name, vocabulary, text_tokenizer, context_length, cache_dir)

    def jobs(self, split: Split) -> list[Job]:
        held_out = self.held_out()
        wanted = np.flatnonzero(held_out if split == "val" else ~held_out)
        return [self.episodes(wanted[part.start : part.stop]) for part in seed_ranges(0, len(wanted), self.episodes_per_job)]

    def held_out(self) -> np.ndarray:
        """(episodes,) bool: which episodes are kept for validation, at most half of them."""
        chosen = np.zeros(self.num_episodes, bool)
        chosen[np.linspace(0, self.num_episodes - 1, min(self.val_episodes, self.num_episodes // 2)).astype(int)] = True
        return chosen

    def measurements(self) -> dict[str, list[Measurement]]:
        """What the data do not tell: the mean return of their episodes, and of random play."""
        jobs: dict[str, list[Measurement]] = {}
        if "expert" not in self.known:
            jobs["expert"] = [partial(self.returns, part) for part in seed_ranges(0, self.num_episodes)]
        if "random" not in self.known and self.playable:
            jobs["random"] = self.episode_jobs(self.random_return, REFERENCE_SEED, self.reference_episodes)
        return jobs

    def keep(self, episode: TokenEpisode, references: dict[str, dict[str, float]]) -> bool:
        if self.min_score is None:
            return True
        expert, random = self._reference("expert", references).mean, self._reference("random", references).mean
        return episode.total_reward >= random + self.min_score * (expert - random)

    def control(self) -> ControlTask | None:
        """The environment with its demonstrations and references, after `setup`; None where it cannot be made again."""
        return self.acting() if self.playable else None

    def acting(self) -> ControlTask:
        store = self.stores.get("train", self.stores["val"])
        measured = store.meta["references"]
        return ControlTask(
            name=self.name,
            domain=self.domain,
            make_env=self.make_env,
            tokenizer=self.tokenizer,
            demonstrations=store,
            timesteps=self.timesteps,
            expert=self._reference("expert", measured),
            random=self._reference("random", measured),
            max_episode_steps=self.max_episode_steps,
        )

    def _reference(self, policy: str, measured: dict[str, dict[str, float]]) -> Reference:
        if policy in self.known:
            return self.known[policy]
        if policy not in measured:  # random play, without an environment
            return Reference(0.0, 0)
        return Reference(mean=measured[policy]["mean"], episodes=int(measured[policy]["episodes"]))
