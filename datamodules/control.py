"""The base of tasks with an environment and an expert: demonstrations, references and rollouts come with it."""

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from datamodules.base import Job, Measurement, Split, TaskDataModule
from datamodules.faults import Fault
from datamodules.trajectory import Trajectory, random_return
from gato_lightning.environment_worker import said
from gato_lightning.episode import Episode, stack
from gato_lightning.errors import ExpertFailure, UserError
from gato_lightning.store import TokenEpisode
from gato_lightning.tasks import DEMONSTRATION_SEED, REFERENCE_SEED, VALIDATION_SEED, ControlTask, Reference

# (observation, action really executed before it or None) -> action
Expert = Callable[[Any, Any], Any]

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


class ControlDataModule(TaskDataModule):
    """Demonstrations of an expert in an environment.

    With `noise`, what is executed differs at times from what the expert wants, and what is recorded is what it wants: so the
    demonstrations show how to get back from states that only an imperfect pupil reaches (Laskey et al. 2017, DART).

    An episode whose environment or expert raises, hangs or kills its process is left out, listed and counted.

    Args:
        episodes: demonstrations to collect.
        val_episodes: further ones for the validation loss.
        noise: of executed actions: standard deviation in halves of the action's range for Box actions, probability of a
            random action for others.
        reference_episodes: episodes that the expert's (without noise) and the random policy's return are measured on.
        timesteps: most timesteps of a window, in training and acting; None: as many as fit.
        min_score: episodes with a lower normalised score are left out; null keeps all. The paper keeps returns of 80% of the
            expert's; a score says the same where returns are negative. What noise spoils is still recorded right, so with much
            noise keep more.
        seed: added to the seeds of the demonstrations.
        time_limit: seconds that an episode may take.
    """

    max_faults = 1.0
    unit: ClassVar[str] = "episodes"

    def __init__(
        self,
        episodes: int = 200,
        val_episodes: int = 10,
        noise: float = 0.0,
        reference_episodes: int = 200,
        timesteps: int | None = 1,
        min_score: float | None = 0.8,
        seed: int = 0,
        time_limit: float = 300.0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        if time_limit <= 0:
            raise UserError(f"time_limit: {time_limit:g}, expected a number of seconds above 0")
        self.episodes, self.val_episodes, self.reference_episodes = episodes, val_episodes, reference_episodes
        self.noise, self.min_score, self.time_limit = noise, min_score, time_limit
        self._env: gymnasium.Env | None = None

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """Makes the environment. `reset(seed=s)` must fix the episode, given the actions."""
        raise NotImplementedError

    def make_expert(self, env: gymnasium.Env) -> Expert:
        """Makes the expert of the episode that has just been reset."""
        raise NotImplementedError

    @property
    def expert_name(self) -> str:
        """Who demonstrates, as told in the metadata of data sets."""
        return f"the expert of {type(self).__name__}"

    def success(self, played: Trajectory) -> bool | None:
        """Whether an episode reached the task's aim, as its environment tells; None where it tells nothing of the kind."""
        told = [played.info[key] for key in ("success", "is_success") if key in played.info]
        return bool(told[0]) if told else None

    def env_spec(self, name: str) -> EnvSpec:
        """How `gymnasium.make` makes this environment again; for the metadata of data sets.

        It is Gymnasium's own, if that tells of all wrappers and can be written down. Otherwise it makes this class anew, which
        needs this project.

        Args:
            name: the task's.
        """
        own = self.env.spec
        told = own is not None and all(wrapper.kwargs is not None for wrapper in own.additional_wrappers)
        if told and isinstance(own.entry_point, str):
            return own
        kwargs = {"class_path": f"{type(self).__module__}.{type(self).__qualname__}", "init_args": dict(self.hparams)}
        entry_point = f"{__name__}:{make_env.__name__}"
        return EnvSpec(f"gato/{name}", entry_point, order_enforce=False, disable_env_checker=True, kwargs=kwargs)

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        """The action that is executed where the expert wants `action`."""
        space = self.action_space
        if isinstance(space, spaces.Box):
            half = np.where(np.isfinite(space.high - space.low), (space.high - space.low) / 2, 1.0)
            noisy = action + self.noise * half * rng.standard_normal(space.shape)
            return np.clip(noisy, space.low, space.high).astype(space.dtype)
        if rng.random() < self.noise:
            space.seed(int(rng.integers(2**31)))
            return space.sample()
        return action

    def jobs(self, split: Split) -> list[Job]:
        first, count = (DEMONSTRATION_SEED, self.episodes) if split == "train" else (VALIDATION_SEED, self.val_episodes)
        return self._played(self._demonstration, first + self.seed, count)

    def measurements(self) -> dict[str, list[Measurement]]:
        policies = {"expert": self._expert_return, "random": self._random_return}
        return {name: self._played(play, REFERENCE_SEED, self.reference_episodes) for name, play in policies.items()}

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        return len(episodes)

    def keep(self, episode: TokenEpisode, references: dict[str, dict[str, float]]) -> bool:
        if self.min_score is None:
            return True
        expert, random = references["expert"]["mean"], references["random"]["mean"]
        return episode.total_reward >= random + self.min_score * (expert - random)

    def control(self) -> ControlTask:
        """The environment with its demonstrations and references; after `setup`."""
        references = self.stores["train"].meta["references"]
        return ControlTask(
            name=self.name,
            domain=self.domain,
            make_env=self.make_env,
            tokenizer=self.tokenizer,
            demonstrations=self.stores["train"],
            timesteps=self.timesteps,
            expert=Reference(**references["expert"]),
            random=Reference(**references["random"]),
        )

    @property
    def env(self) -> gymnasium.Env:
        """One environment a process, kept: making some costs more than an episode."""
        if self._env is None:
            self._env = self.make_env()
        return self._env

    def drop_env(self) -> None:
        """Gives the environment up, which may be in any state; the next use makes another."""
        if self._env is not None:
            with contextlib.suppress(Exception):
                self._env.close()
        self._env = None

    def play(self, seed: int, rng: np.random.Generator | None = None) -> Trajectory:
        """One episode of the expert, with noise if there is a generator for it.

        Raises:
            ExpertFailure: the expert gave up.
        """
        observation, info = self.env.reset(seed=seed)
        observations, actions, rewards = [observation], [], []
        expert = self.make_expert(self.env)
        executed, terminated, truncated = None, False, False
        while not (terminated or truncated):
            action = expert(observation, executed)
            actions.append(action)
            executed = action if rng is None else self.perturb(action, rng)
            observation, reward, terminated, truncated, info = self.env.step(executed)
            observations.append(observation)
            rewards.append(reward)
        return Trajectory(observations, actions, rewards, bool(terminated), info)

    def _played(self, play: Callable[[int], Any], first: int, count: int) -> list[Any]:
        return [EpisodeJob(play, block, self.time_limit, self.drop_env) for block in blocks(first, count)]

    def _demonstration(self, seed: int) -> Episode:
        return self._demonstrate(seed, np.random.default_rng(seed))

    def _expert_return(self, seed: int) -> float:
        return float(self._demonstrate(seed, None).rewards.sum())

    def _random_return(self, seed: int) -> float:
        return random_return(self.env, self.action_space, seed)

    def _demonstrate(self, seed: int, rng: np.random.Generator | None) -> Episode:
        """One episode to train on."""
        played = self.play(seed, rng)
        return Episode(
            observations=stack(self.observation_space, played.observations[:-1]),
            actions=stack(self.action_space, played.actions),
            rewards=np.array(played.rewards, np.float32),
            source="expert",
        )


def make_env(class_path: str, init_args: dict[str, Any], render_mode: str | None = None) -> gymnasium.Env:
    """Makes the environment of a `ControlDataModule`, as `env_spec` asks for."""
    module, _, name = class_path.rpartition(".")
    return getattr(importlib.import_module(module), name)(**init_args).make_env(render_mode)


def blocks(first: int, count: int) -> list[range]:
    """The numbers `first` and following, in pieces for a job each."""
    return [
        range(begin, min(begin + EPISODES_PER_JOB, first + count)) for begin in range(first, first + count, EPISODES_PER_JOB)
    ]
