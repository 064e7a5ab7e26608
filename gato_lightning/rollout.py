"""Rolling the agent out in environments, and scoring it (Gato, section 4)."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np

from gato_lightning.model import Gato
from gato_lightning.policy import ActingSettings, Policy
from gato_lightning.tasks import ControlTask

log = logging.getLogger(__name__)


@dataclass
class TaskScore:
    """Episodes of one task.

    Args:
        task, domain: whose they are.
        expert, random: reference returns.
        seeds, returns, lengths: of each episode.
        failures: what went wrong in the environment or the evaluation itself, by seed or for all.
    """

    task: str
    domain: str
    expert: float
    random: float
    seeds: list[int] = field(default_factory=list)
    returns: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    @property
    def mean_return(self) -> float | None:
        """Mean over the episodes; None without any."""
        return float(np.mean(self.returns)) if self.returns else None

    @property
    def score(self) -> float | None:
        """(mean return - random) / |expert - random|; None without episodes, or where expert and random do not differ."""
        span = abs(self.expert - self.random)
        if self.mean_return is None or span == 0:
            return None
        return (self.mean_return - self.random) / span


class Environments:
    """Environments by task, kept and used again: making one can cost more than an episode in it."""

    def __init__(self) -> None:
        self._kept: dict[str, list[gymnasium.Env]] = {}

    def get(self, task: ControlTask, count: int) -> list[gymnasium.Env]:
        """`count` environments of a task."""
        kept = self._kept.setdefault(task.name, [])
        kept += [task.make_env() for _ in range(count - len(kept))]
        return kept[:count]

    def close(self) -> None:
        """Closes all."""
        for env in (env for kept in self._kept.values() for env in kept):
            env.close()
        self._kept.clear()


def rollout(
    model: Gato, task: ControlTask, envs: list[gymnasium.Env], seeds: Iterable[int], settings: ActingSettings
) -> TaskScore:
    """Plays an episode for each seed, as many at once as there are environments.

    Args:
        model: in evaluation mode.
        task: what to play.
        envs: environments of the task.
        seeds: of the episodes.
        settings: how to act.
    """
    result = TaskScore(task.name, task.domain, task.expert.mean, task.random.mean)
    waiting = list(seeds)
    policy = Policy(model, len(envs), settings, seed=waiting[0] if waiting else 0)
    lanes = [_Lane(env) for env in envs]
    for index, lane in enumerate(lanes):
        _begin(lane, index, task, waiting, policy)
    while any(lane.active for lane in lanes):
        actions = policy.act({index: lane.observation for index, lane in enumerate(lanes) if lane.active})
        for index, action in actions.items():
            lane = lanes[index]
            if lane.step(action):
                result.seeds.append(lane.seed)
                result.returns.append(lane.total)
                result.lengths.append(lane.length)
                _begin(lane, index, task, waiting, policy)
    return result


class _Lane:
    """An environment and the episode in it."""

    def __init__(self, env: gymnasium.Env) -> None:
        self.env = env
        self.active, self.seed, self.total, self.length = False, 0, 0.0, 0
        self.observation: Any = None

    def begin(self, seed: int) -> None:
        self.active, self.seed, self.total, self.length = True, seed, 0.0, 0
        self.observation, _ = self.env.reset(seed=seed)

    def step(self, action: Any) -> bool:
        """Steps; whether the episode is over."""
        self.observation, reward, terminated, truncated, _ = self.env.step(action)
        self.total, self.length = self.total + float(reward), self.length + 1
        return bool(terminated or truncated)


def _begin(lane: _Lane, index: int, task: ControlTask, waiting: list[int], policy: Policy) -> None:
    """Begins the next waiting episode in a lane, or leaves it idle."""
    lane.active = bool(waiting)
    if waiting:
        lane.begin(waiting.pop(0))
        policy.reset(index, task, lane.seed)


def evaluate_tasks(
    model: Gato,
    tasks: Iterable[ControlTask],
    first_seed: int,
    episodes: int = 20,
    lanes: int = 10,
    settings: ActingSettings | None = None,
    environments: Environments | None = None,
    on_task: Callable[[str], None] = lambda name: None,
) -> list[TaskScore]:
    """Scores the agent in several tasks. What goes wrong in one is logged with its name and does not touch the others.

    Args:
        model: in evaluation mode.
        tasks: what to play.
        first_seed: seed of the first episode of each task; the others follow it.
        episodes: of each task.
        lanes: most environments at once.
        settings: how to act.
        environments: where environments are kept; None closes them at the end.
        on_task: called with a task's name when it is done.
    """
    kept = environments or Environments()
    scores = []
    for task in tasks:
        try:
            envs = kept.get(task, min(lanes, episodes))
            seeds = range(first_seed, first_seed + episodes)
            scores.append(rollout(model, task, envs, seeds, settings or ActingSettings()))
        except Exception as error:
            log.exception("rollouts of task %s failed", task.name)
            failed = TaskScore(task.name, task.domain, task.expert.mean, task.random.mean)
            failed.failures.append(f"{type(error).__name__}: {error}")
            scores.append(failed)
        on_task(task.name)
    if environments is None:
        kept.close()
    return scores


def mean_score(scores: Iterable[TaskScore]) -> float | None:
    """Mean normalised score, each task clipped at 1.

    A task whose evaluation failed counts 0; one whose expert and random returns do not differ counts not at all.
    """
    values = [0.0 if score.failures and score.score is None else score.score for score in scores]
    known = [min(value, 1.0) for value in values if value is not None]
    return float(np.mean(known)) if known else None
