"""What a task offers for evaluation: an environment to act in, or examples to write text for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import gymnasium
import numpy as np

from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.tokens.timestep import TimestepTokenizer

SUCCESS = 0.8  # Gato, section 3.1: demonstrations of at least 80% of the expert's return

MAX_EPISODE_STEPS = 10_000  # of an episode, unless a task says otherwise: an environment need not end by itself

# First seeds of episodes, far apart, so that no episode is used for two purposes.
DEMONSTRATION_SEED = 0
VALIDATION_SEED = 100_000_000
REFERENCE_SEED = 200_000_000
ROLLOUT_SEED = 300_000_000  # while training: what settings may be chosen by
FINAL_SEED = 2_000_000_000  # what is reported


@dataclass(frozen=True)
class Reference:
    """Returns of a policy that scores are measured against.

    Args:
        mean: mean return, in the environment's units.
        episodes: how many episodes it was measured on.
    """

    mean: float
    episodes: int


@dataclass(frozen=True)
class ControlTask:
    """An environment, how to act in it, and how well others do.

    Args:
        name: the task's key.
        domain: its suite.
        make_env: makes the environment; `reset(seed=s)` fixes an episode.
        tokenizer: of its spaces.
        demonstrations: where prompts come from.
        timesteps: most timesteps of the episode that the agent sees, the present one included; None: as many as fit.
        expert: the expert's return.
        random: the uniformly random policy's return.
        prompt_length: most slots of a prompt in training; None: half the context.
        max_episode_steps: an episode is cut there if it has not ended before.
    """

    name: str
    domain: str
    make_env: Callable[..., gymnasium.Env]
    tokenizer: TimestepTokenizer
    demonstrations: EpisodeStore
    timesteps: int | None
    expert: Reference
    random: Reference
    prompt_length: int | None = None
    max_episode_steps: int = MAX_EPISODE_STEPS

    @cached_property
    def successful(self) -> np.ndarray:
        """(n,) int64 demonstrations with at least 80% of the expert's normalised score; where none has it, the best one."""
        returns, random = np.asarray(self.demonstrations.returns), self.random.mean
        good = np.flatnonzero(returns >= random + SUCCESS * (self.expert.mean - random))
        return good if len(good) else np.array([returns.argmax()])


@dataclass(frozen=True)
class GenerationTask:
    """Held-out examples that text is generated for.

    Args:
        kind: what the text is.
        observations: one per example, in the task's observation space.
        references: the right texts of each example, one or more.
        groups: question type of each example, or "".
        baseline: the commonest training answer of each group, where there are groups.
    """

    kind: Literal["caption", "answer", "text"]
    observations: Sequence[Any]
    references: Sequence[Sequence[str]]
    groups: Sequence[str]
    baseline: dict[str, str] = field(default_factory=dict)
