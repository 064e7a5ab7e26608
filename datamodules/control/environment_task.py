"""The base of tasks with an environment, of which each process keeps one; an episode that goes wrong costs itself alone."""

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

EPISODES_PER_JOB = 25  # about a second of work: enough jobs to keep all processes busy to the end


@dataclass(frozen=True)
class EpisodeJob:
    """A job, or a measurement, that plays an episode for each of some seeds.

    Args:
        play: gives what is made of a seed's episode.
        seeds: of the episodes.
        limit: seconds that one may take.
        renew: called behind an episode that went wrong, as its environment may be broken.
    """

    play: Callable[[int], Any]
    seeds: range
    limit: float
    renew: Callable[[], None]

    def __call__(self) -> list[Any]:
        """Plays those that the expert does not give up, without limit; what goes wrong otherwise, is raised."""
        made = []
        for seed in self.seeds:
            with contextlib.suppress(ExpertFailure):
                made.append(self.play(seed))
        return made

    def guarded(self, begin: Callable[[int], None], faults: Mapping[int, str]) -> Iterator[Any]:
        """Plays them as a job of a crew, see `crew.py`; an episode that goes wrong gives a fault.

        Raises:
            UserError: a mistake of the user's, which all episodes would share.
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
                except Exception as error:  # an environment's, of any type
                    self.renew()
                    why = said(error)
            yield made if why is None else Fault(f"seed {seed}: {why}")


class EnvironmentTask(TaskDataModule):
    """One task with an environment.

    Args:
        timesteps: most timesteps of a window, in training and acting, 1 or more; None: as many as fit.
        seed: of everything random in making the episodes; 0 or more.
        time_limit: seconds that an episode may take, above 0.
        max_episode_steps: an episode that has not ended by then is cut there, in collecting and in rollouts; 1 or more.
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
        self._told_cut = False
        self._env: gymnasium.Env | None = None

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """Makes the environment. `reset(seed=s)` must fix the episode, given the actions."""
        raise NotImplementedError

    @property
    def env(self) -> gymnasium.Env:
        """One environment a process, kept: making some costs more than an episode."""
        if self._env is None:
            self._env = self.make_env()
        return self._env

    @property
    def blind_env(self) -> gymnasium.Env:
        """The same environment for who does not look: its observations may be anything, if that makes it faster."""
        return self.env

    def drop_env(self) -> None:
        """Gives the environment up, which may be in any state; the next use makes another."""
        if self._env is not None:
            with contextlib.suppress(Exception):
                self._env.close()
        self._env = None

    def episode_jobs(self, play: Callable[[int], Any], first: int, count: int) -> list[EpisodeJob]:
        """Jobs that play `count` episodes, of the seeds `first` and following."""
        return [EpisodeJob(play, seeds, self.time_limit, self.drop_env) for seeds in seed_ranges(first, count)]

    def random_return(self, seed: int) -> float:
        """The return of an episode of the random policy."""
        return random_return(self.blind_env, self.action_space, seed, self.is_cut)

    def is_cut(self, steps: int) -> bool:
        """Whether an episode that has not ended in so many steps is cut here; told the first time in each process."""
        if steps < self.max_episode_steps:
            return False
        if not self._told_cut:
            name = getattr(self, "name", None) or type(self).__name__  # without a mixture, a task has none
            log.warning("task %s: episodes are cut after %d steps (max_episode_steps)", name, steps)
        self._told_cut = True
        return True


def seed_ranges(first: int, count: int) -> list[range]:
    """The numbers `first` and following, in pieces for a job each."""
    return [
        range(begin, min(begin + EPISODES_PER_JOB, first + count)) for begin in range(first, first + count, EPISODES_PER_JOB)
    ]
