"""Scores of episodes, tasks and domains (Gato, section 4.1).

One rule for what failed: an episode that failed has no score and its task's score is that of the others; where all of a task's
episodes failed, each of them counts 0, in means, interquartile means, their intervals and counts of tasks alike.

Agarwal et al. 2021: "Deep Reinforcement Learning at the Edge of the Statistical Precipice".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from gato_lightning.evaluation.video import Gif

PERCENTAGES = (25, 50, 75, 100)  # of expert, in tables
RESAMPLES = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class EpisodeResult:
    """One episode.

    Args:
        seed: of the environment, the prompt and the sampling.
        total: the return, in the environment's units; None where the episode failed.
        length: timesteps.
        success: whether the environment reported success at any step; None if it says nothing of it.
        failure: what went wrong in the environment or the evaluation itself; such an episode is counted and has no return.
        truncated: whether it did not end by itself but at a limit of steps, the environment's or `max_episode_steps`.
    """

    seed: int
    total: float | None
    length: int
    success: bool | None = None
    failure: str = ""
    truncated: bool = False


@dataclass
class TaskScore:
    """Episodes of one task.

    Args:
        task, domain: whose they are.
        expert, random: reference returns.
        episodes: in the order of their seeds.
        video: of the first one, if it was recorded.
    """

    task: str
    domain: str
    expert: float
    random: float
    episodes: list[EpisodeResult] = field(default_factory=list)
    video: Gif | None = None

    @property
    def finished(self) -> list[EpisodeResult]:
        """The episodes that have a return."""
        return [one for one in self.episodes if one.total is not None]

    @property
    def returns(self) -> list[float]:
        """The returns of the finished episodes."""
        return [one.total for one in self.episodes if one.total is not None]

    @property
    def failures(self) -> list[str]:
        """What went wrong in each failed episode, with its seed."""
        return [f"seed {one.seed}: {one.failure}" for one in self.episodes if one.failure]

    @property
    def mean_return(self) -> float | None:
        """Mean over the finished episodes; None without any."""
        return float(np.mean(self.returns)) if self.returns else None

    @property
    def comparable(self) -> bool:
        """Whether expert and random differ, to a millionth of their size; without that there is no score."""
        return abs(self.expert - self.random) > 1e-6 * max(abs(self.expert), abs(self.random))

    @property
    def score(self) -> float | None:
        """(mean return - random) / |expert - random|; None without episodes, or where expert and random do not differ."""
        if self.mean_return is None or not self.comparable:
            return None
        return (self.mean_return - self.random) / abs(self.expert - self.random)

    @property
    def episode_scores(self) -> np.ndarray:
        """The same of each finished episode; none where expert and random do not differ."""
        if not self.comparable:
            return np.empty(0)
        return (np.array(self.returns, np.float64) - self.random) / abs(self.expert - self.random)

    @property
    def counted_scores(self) -> np.ndarray:
        """What stands for the task beside other tasks: its episodes' scores, or a 0 for each where all failed."""
        if not self.comparable or self.returns:
            return self.episode_scores
        return np.zeros(len(self.episodes))

    @property
    def success_rate(self) -> float | None:
        """Share of the finished episodes with success; None where the environment says nothing of it."""
        known = [one.success for one in self.finished if one.success is not None]
        return float(np.mean(known)) if known else None


@dataclass(frozen=True)
class Estimate:
    """A value with its 95% confidence interval; the bounds are None where a task has a single episode."""

    value: float
    low: float | None
    high: float | None


def by_domain(scores: Iterable[TaskScore]) -> dict[str, list[TaskScore]]:
    """Scores grouped by domain, in order of appearance."""
    groups: dict[str, list[TaskScore]] = {}
    for score in scores:
        groups.setdefault(score.domain, []).append(score)
    return groups


def counted_scores(scores: Iterable[TaskScore]) -> list[float]:
    """The score of every task that counts: 0 where all episodes failed, none where expert and random do not differ."""
    return [float(one.counted_scores.mean()) for one in scores if len(one.counted_scores)]


def mean_score(scores: Iterable[TaskScore]) -> float | None:
    """Mean of the counted scores, each clipped at 1."""
    counted = counted_scores(scores)
    return float(np.minimum(counted, 1.0).mean()) if counted else None


def interquartile_mean(scores: Iterable[TaskScore], seed: int = 0) -> Estimate | None:
    """Mean of the middle half of all episodes' counted scores, not clipped.

    The interval comes from a stratified bootstrap: episodes are drawn anew within each task (Agarwal et al. 2021, with an
    episode for a run).

    Args:
        scores: of the tasks; those that nothing is counted of are left out.
        seed: of the bootstrap.
    """
    samples = [one.counted_scores for one in scores if len(one.counted_scores)]
    if not samples:
        return None
    value = float(_iqm(*samples))
    if min(map(len, samples)) < 2:
        return Estimate(value, None, None)
    # In batches of a few million numbers.
    batch = max(1, 4_000_000 // sum(map(len, samples)))
    drawn = stats.bootstrap(
        samples, _iqm, n_resamples=RESAMPLES, batch=batch, confidence_level=CONFIDENCE, method="percentile", rng=seed
    )
    return Estimate(value, float(drawn.confidence_interval.low), float(drawn.confidence_interval.high))


def _iqm(*samples: np.ndarray, axis: int = -1) -> Any:
    return stats.trim_mean(np.concatenate(samples, axis=axis), 0.25, axis=axis)


def task_interval(score: TaskScore, seed: int = 0) -> tuple[float, float] | None:
    """95% confidence interval of a task's score, by bootstrap over its episodes; None with fewer than two."""
    if len(score.episode_scores) < 2:
        return None
    drawn = stats.bootstrap(
        (score.episode_scores,), np.mean, n_resamples=RESAMPLES, confidence_level=CONFIDENCE, method="percentile", rng=seed
    )
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def tasks_above(scores: Iterable[TaskScore], percentages: Sequence[float]) -> np.ndarray:
    """(len(percentages),) int64: tasks whose score is at least each percentage of expert (Gato, figure 5)."""
    counted = np.array(counted_scores(scores))
    return (counted[:, None] * 100 >= np.asarray(percentages) - 1e-9).sum(axis=0)


def summary(scores: Sequence[TaskScore]) -> dict[str, Any]:
    """Per domain, and of all tasks under `all`, as JSON: counts, means, tasks above percentages of expert.

    Tasks without a score are named under `left_out`.
    """
    groups = {**by_domain(scores), "all": list(scores)}
    return {domain: _summary(group) for domain, group in groups.items()}


def _summary(scores: list[TaskScore]) -> dict[str, Any]:
    middle = interquartile_mean(scores)
    return {
        "tasks": len(scores),
        "scored": len(counted_scores(scores)),
        "left_out": [f"{one.task}: expert and random do not differ" for one in scores if not one.comparable],
        "episodes": sum(len(one.finished) for one in scores),
        "failed_episodes": sum(len(one.failures) for one in scores),
        "truncated_episodes": sum(episode.truncated for one in scores for episode in one.finished),
        "mean_score": mean_score(scores),
        "interquartile_mean": None if middle is None else [middle.value, middle.low, middle.high],
        "tasks_above_percent": dict(zip(map(str, PERCENTAGES), tasks_above(scores, PERCENTAGES).tolist(), strict=True)),
    }
