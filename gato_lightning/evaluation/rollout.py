"""Rolling an agent out in environments, many at once and of different tasks (Gato, section 4)."""

import logging
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Protocol

from gato_lightning.acting.agent import ActingSettings, Agent
from gato_lightning.common.ranks import all_gather
from gato_lightning.errors import said
from gato_lightning.evaluation.environment_worker import Outcome
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore
from gato_lightning.evaluation.video import Gif
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.tasks import ControlTask

log = logging.getLogger(__name__)

OnEpisode = Callable[[str, EpisodeResult], None]


class Actor(Protocol):
    """Whoever acts: the agent, or what it is measured against."""

    def reset(self, lane: int, task: ControlTask, seed: int) -> None:
        """An episode of a task begins in a lane."""

    def act(self, observations: Mapping[int, Any]) -> dict[int, Any]:
        """By lane, an action, given what the lane observes; or the error that kept it from one."""


@dataclass
class _Episode:
    """An episode."""

    task: ControlTask
    seed: int
    filmed: bool = False
    observation: Any = None  # none before the reset is answered
    total: float = 0.0
    length: int = 0
    success: bool | None = None
    video: Gif | None = None
    truncated: bool = False
    failure: str = ""
    begun: bool = False

    def take(self, outcome: Outcome) -> bool:
        """Takes in what came of a reset or a step; whether the episode is over."""
        if outcome.video_failure:
            log.warning("no video of task %s, seed %d: %s", self.task.name, self.seed, outcome.video_failure)
        self.observation, self.failure = outcome.observation, outcome.failure
        self.success, self.video, self.truncated = outcome.success, outcome.video, outcome.truncated
        self.total, self.length = self.total + outcome.reward, self.length + self.begun
        self.begun = True
        if outcome.cut:
            log.warning("task %s, seed %d: cut after %d steps (max_episode_steps)", self.task.name, self.seed, self.length)
        return outcome.over or bool(outcome.failure)

    def result(self) -> EpisodeResult:
        if self.failure:
            log.warning("task %s, seed %d failed after %d steps: %s", self.task.name, self.seed, self.length, self.failure)
            return EpisodeResult(self.seed, None, self.length, failure=self.failure)
        return EpisodeResult(self.seed, self.total, self.length, self.success, truncated=self.truncated)


def play(
    actor: Actor,
    tasks: Sequence[ControlTask],
    seeds: Sequence[int],
    environments: Environments,
    record: Collection[str] = (),
    on_episode: OnEpisode = lambda task, episode: None,
    done: Mapping[str, Sequence[EpisodeResult]] = MappingProxyType({}),
) -> list[TaskScore]:
    """Plays an episode for each task and seed, as many at once as there are lanes.

    An episode whose environment raises, hangs, dies or observes what is not in its space fails, is logged with its task and
    seed and counted, and the others go on. So does one that the actor cannot act in; where it raises, all that are at play. An
    episode that does not end is cut at its task's `max_episode_steps`.

    Args:
        actor: who acts.
        tasks: what to play.
        seeds: of the episodes of each task.
        environments: of these tasks.
        record: names of the tasks whose first episode is filmed.
        on_episode: called with the task's name and the result after each episode.
        done: by task, episodes that need not be played again.

    Returns:
        A score per task, in their order, with episodes in the order of the seeds.
    """
    scores = {task.name: TaskScore(task.name, task.domain, task.expert.mean, task.random.mean) for task in tasks}
    for task in tasks:
        # An episode to be filmed has to be played.
        again = seeds[:1] if task.name in record else []
        scores[task.name].episodes += [one for one in done.get(task.name, []) if one.seed in seeds and one.seed not in again]
    known = {name: {one.seed for one in score.episodes} for name, score in scores.items()}
    # Tasks of like widths run side by side: all lanes of a pass are as wide as the widest.
    order = sorted(tasks, key=_width, reverse=True)
    waiting = deque(_Episode(task, seed) for task in order for seed in seeds if seed not in known[task.name])
    for episode in waiting:
        episode.filmed = episode.task.name in record and episode.seed == seeds[0]
    _Stage(actor, environments, waiting, scores, on_episode).play()
    for score in scores.values():
        score.episodes.sort(key=lambda one: one.seed)
    return list(scores.values())


class _Stage:
    """Where episodes are played: those that wait, those in the lanes, and the scores of those that are over.

    Args: as of `play`, and
        waiting: the episodes, in the order in which they begin.
        scores: by task; those of the episodes are added.
    """

    def __init__(
        self,
        actor: Actor,
        environments: Environments,
        waiting: deque[_Episode],
        scores: Mapping[str, TaskScore],
        on_episode: OnEpisode,
    ) -> None:
        self._actor, self._environments = actor, environments
        self._waiting, self._scores, self._on_episode = waiting, scores, on_episode
        self._running: dict[int, _Episode] = {}  # by lane
        self._lanes = range(min(environments.lanes, len(waiting)))

    def play(self) -> None:
        """Plays all episodes to their ends."""
        while self._waiting or self._running:
            self._act()
            for lane in self._lanes:
                while self._waiting and lane not in self._running:
                    self._begin(lane, self._waiting.popleft())
            self._hear()

    def _act(self) -> None:
        """Every running episode has observed something: the actor acts in all of them."""
        observations = {lane: episode.observation for lane, episode in self._running.items()}
        try:
            actions = self._actor.act(observations) if observations else {}
        except Exception as error:
            log.exception("the agent failed in %d episodes", len(observations))
            actions = dict.fromkeys(observations, error)
        for lane, action in actions.items():
            if isinstance(action, Exception):
                self._fail(lane, action)
            else:
                self._environments.step(lane, action)

    def _begin(self, lane: int, episode: _Episode) -> None:
        self._running[lane] = episode
        try:
            self._actor.reset(lane, episode.task, episode.seed)
        except Exception as error:
            self._fail(lane, error)
        else:
            self._environments.begin(lane, episode.task, episode.seed, episode.filmed)

    def _hear(self) -> None:
        """Takes in what came of resets and steps; an episode that was lost with its worker is played again."""
        for lane, outcome in sorted(self._environments.outcomes().items()):
            if outcome.lost:
                lost = self._running.pop(lane)
                self._waiting.appendleft(_Episode(lost.task, lost.seed, lost.filmed))
            elif self._running[lane].take(outcome):
                self._finish(lane)

    def _fail(self, lane: int, error: Exception) -> None:
        self._running[lane].failure = f"the agent failed: {said(error)}"
        self._finish(lane)

    def _finish(self, lane: int) -> None:
        episode = self._running.pop(lane)
        score = self._scores[episode.task.name]
        score.episodes.append(episode.result())
        score.video = episode.video or score.video
        self._on_episode(episode.task.name, score.episodes[-1])


def _width(task: ControlTask) -> int:
    return task.demonstrations.widest if task.demonstrations is not None else 0


def evaluate_tasks(
    model: Gato,
    tasks: Iterable[ControlTask],
    first_seed: int,
    episodes: int,
    environments: Environments,
    settings: ActingSettings | None = None,
    record: Collection[str] = (),
    on_episode: OnEpisode = lambda task, episode: None,
    done: Mapping[str, Sequence[EpisodeResult]] = MappingProxyType({}),
) -> list[TaskScore]:
    """Scores the agent in several tasks, see `play`.

    Args:
        model: in evaluation mode.
        tasks: what to play.
        first_seed: seed of the first episode of each task; the others follow it.
        episodes: of each task.
        environments: of these tasks.
        settings: how to act.
        record: names of the tasks whose first episode is filmed.
        on_episode: called with the task's name and the result after each episode.
        done: by task, episodes that need not be played again.
    """
    chosen, seeds = list(tasks), range(first_seed, first_seed + episodes)
    policy = Agent(model, min(environments.lanes, len(chosen) * episodes), settings or ActingSettings(), first_seed)
    return play(policy, chosen, seeds, environments, record, on_episode, done)


def gather_scores(scores: list[TaskScore]) -> list[TaskScore]:
    """The scores of all ranks, on every rank.

    Args:
        scores: of this rank's tasks: of n ranks, rank r has played tasks r, r + n, r + 2n ...

    Returns:
        A score per task, in their order.
    """
    return [score for turn in zip_longest(*all_gather(scores)) for score in turn if score is not None]
