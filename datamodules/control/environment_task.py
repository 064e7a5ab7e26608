"""The base of tasks with an environment. Each process keeps one environment; a failed episode does not affect the others."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium

from datamodules.base.faults import Fault
from datamodules.base.task import TaskDataModule
from datamodules.control.trajectory import random_return
from gato_lightning.common.settings import PositiveFloat, PositiveInt, Seed
from gato_lightning.errors import ExpertFailure, UserError, said
from gato_lightning.sequences.tasks import MAX_EPISODE_STEPS

log = logging.getLogger(__name__)

EPISODES_PER_JOB = 25  # about a second of work, so that there are enough jobs to keep all processes busy to the end


@dataclass(frozen=True)
class EpisodeJob:
    """A job, or a measurement, that plays one episode per seed.

    Args:
        play: function that plays the episode of a seed and returns its result.
        seeds: seeds of the episodes.
        limit: maximum seconds per episode.
        renew: function called after a failed episode, because its environment may be unusable.
    """

    play: Callable[[int], Any]
    seeds: range
    limit: float
    renew: Callable[[], None]

    def __call__(self) -> list[Any]:
        """Plays the episodes without a time limit, leaves out those in which the expert gives up, and raises other errors."""
        made = []
        for seed in self.seeds:
            with contextlib.suppress(ExpertFailure):
                made.append(self.play(seed))
        return made

    def guarded(self, begin: Callable[[int], None], faults: Mapping[int, str]) -> Iterator[Any]:
        """Plays the episodes as a job of a crew, see `crew.py`; a failed episode yields a fault.

        Raises:
            UserError: if the user made a mistake, which would affect all episodes.
        """
        for seed in self.seeds:
            why = faults.get(seed)
            if why is None:
                begin(seed)
                try:
                    made = self.play(seed)
                except UserError:
                    raise
                except ExpertFailure as error:
                    why = str(error)
                except Exception as error:  # environments may raise any type
                    self.renew()
                    why = said(error)
            yield made if why is None else Fault(f"seed {seed}: {why}")


class EnvironmentTask(TaskDataModule):
    """One task with an environment.

    Args:
        timesteps: maximum number of timesteps in a window, in training and acting, 1 or more; None: as many as fit.
        seed: seed of all random choices made while the episodes are made, 0 or more.
        time_limit: maximum seconds per episode, above 0.
        max_episode_steps: number of steps after which an unfinished episode is cut, in collecting and rollouts; 1 or more.
    """

    def __init__(
        self,
        timesteps: PositiveInt | None = 1,
        seed: Seed = 0,
        time_limit: PositiveFloat = 300.0,
        max_episode_steps: PositiveInt = MAX_EPISODE_STEPS,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        self.time_limit, self.max_episode_steps = time_limit, max_episode_steps
        self._warned_of_cut = False
        self._env: gymnasium.Env | None = None

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """Makes the environment. `reset(seed=s)` and the actions must determine the episode."""
        raise NotImplementedError

    @property
    def env(self) -> gymnasium.Env:
        """The environment of this process, which is kept because making one may cost more than an episode."""
        if self._env is None:
            self._env = self.make_env()
        return self._env

    @property
    def blind_env(self) -> gymnasium.Env:
        """The environment for policies that ignore observations; its observations may be anything, if that is faster."""
        return self.env

    def drop_env(self) -> None:
        """Closes the environment, which may be in any state; the next use makes a new one."""
        if self._env is not None:
            with contextlib.suppress(Exception):
                self._env.close()
        self._env = None

    def episode_jobs(self, play: Callable[[int], Any], first: int, count: int) -> list[EpisodeJob]:
        """Returns jobs that play `count` episodes, with seeds from `first`."""
        return [EpisodeJob(play, seeds, self.time_limit, self.drop_env) for seeds in seed_ranges(first, count)]

    def random_return(self, seed: int) -> float:
        """Plays an episode of the random policy and returns its return."""
        return random_return(self.blind_env, self.action_space, seed, self.is_cut)

    def is_cut(self, steps: int) -> bool:
        """Returns whether an unfinished episode is cut after `steps` steps; logs a warning once per process."""
        if steps < self.max_episode_steps:
            return False
        if not self._warned_of_cut:
            name = getattr(self, "name", None) or type(self).__name__  # without a mixture, a task has none
            log.warning("task %s: episodes are cut after %d steps (max_episode_steps)", name, steps)
        self._warned_of_cut = True
        return True


def seed_ranges(first: int, count: int, most: int = EPISODES_PER_JOB) -> list[range]:
    """Splits the `count` seeds from `first` into ranges of one job each, of at most `most` seeds."""
    return [range(begin, min(begin + most, first + count)) for begin in range(first, first + count, most)]
