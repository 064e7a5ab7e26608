"""The base of tasks with an environment and an expert: demonstrations, references and rollouts come with it."""

import pkgutil
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec

from datamodules.base.task import Job, Measurement, Split
from datamodules.control.actions import as_action
from datamodules.control.environment_task import EnvironmentTask
from datamodules.control.trajectory import Trajectory, admissible_commands
from gato_lightning.common.public_name import public_name
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.common.settings import FiniteFloat, NonNegativeFloat, PositiveFloat, PositiveInt, Seed
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.sequences.tasks import (
    DEMONSTRATION_SEED,
    MAX_EPISODE_STEPS,
    REFERENCE_SEED,
    VALIDATION_SEED,
    ControlTask,
    Reference,
)
from gato_lightning.tokens.episode import Episode, stack

# (observation, action really executed before it or None) -> action
Expert = Callable[[Any, Any], Any]


class ControlDataModule(EnvironmentTask):
    """Demonstrations of an expert in an environment.

    With `noise`, what is executed differs at times from what the expert wants, and what is recorded is what it wants: so the
    demonstrations show how to get back from states that only an imperfect pupil reaches (Laskey et al. 2017, DART).

    An episode whose environment or expert raises, hangs or kills its process is left out, listed and counted.

    Args:
        episodes: demonstrations to collect, 1 or more.
        val_episodes: further ones for the validation loss, 1 or more.
        noise: of executed actions, 0 or more: standard deviation in halves of the action's range for Box actions, probability
            of a random action for others; of a text game, of one of the commands that it admits, where `info` tells
            `admissible_commands`.
        reference_episodes: episodes that the expert's (without noise) and the random policy's return are measured on; 1 or
            more.
        timesteps: most timesteps of a window, in training and acting, 1 or more; None: as many as fit.
        min_score: episodes with a lower normalised score are left out; null keeps all. The paper keeps returns of 80% of the
            expert's; a score says the same where returns are negative. What noise spoils is still recorded right, so with much
            noise keep more.
        seed: added to the seeds of the demonstrations; 0 or more.
        time_limit: seconds that an episode may take, above 0.
        max_episode_steps: an episode that has not ended by then is cut there, in collecting and in rollouts; 1 or more.
    """

    max_faults = 1.0
    unit: ClassVar[str] = "episodes"

    def __init__(
        self,
        episodes: PositiveInt = 200,
        val_episodes: PositiveInt = 10,
        noise: NonNegativeFloat = 0.0,
        reference_episodes: PositiveInt = 200,
        timesteps: PositiveInt | None = 1,
        min_score: FiniteFloat | None = 0.8,
        seed: Seed = 0,
        time_limit: PositiveFloat = 300.0,
        max_episode_steps: PositiveInt = MAX_EPISODE_STEPS,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed, time_limit=time_limit, max_episode_steps=max_episode_steps)
        self.episodes, self.val_episodes, self.reference_episodes = episodes, val_episodes, reference_episodes
        self.noise, self.min_score = noise, min_score

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
        kwargs = {"class_path": public_name(type(self)), "init_args": dict(self.hparams)}
        return EnvSpec(f"gato/{name}", "datamodules:make_env", order_enforce=False, disable_env_checker=True, kwargs=kwargs)

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        """The action that is executed where the expert wants `action`."""
        space = self.action_space
        if isinstance(space, spaces.Box):
            bounds = (space.low, space.high)
            low, high = bounds if space.dtype.kind == "f" else (bound.astype(np.float64) for bound in bounds)
            half = np.where(np.isfinite(high - low), (high - low) / 2, 1.0)
            return _nearest(space, action + self.noise * half * rng.standard_normal(space.shape))
        if rng.random() < self.noise:
            space.seed(int(rng.integers(2**31)))
            return space.sample()
        return action

    def jobs(self, split: Split) -> list[Job]:
        first, count = (DEMONSTRATION_SEED, self.episodes) if split == "train" else (VALIDATION_SEED, self.val_episodes)
        return self.episode_jobs(self._demonstration, first + self.seed, count)

    def measurements(self) -> dict[str, list[Measurement]]:
        policies = {"expert": self._expert_return, "random": self.random_return}
        return {name: self.episode_jobs(play, REFERENCE_SEED, self.reference_episodes) for name, play in policies.items()}

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
            max_episode_steps=self.max_episode_steps,
        )

    def play(self, seed: int, rng: np.random.Generator | None = None) -> Trajectory:
        """One episode of the expert, with noise if there is a generator for it.

        Raises:
            ExpertFailure: the expert gave up.
            UserError: what the expert returns is no action.
        """
        observation, info = self.env.reset(seed=seed)
        observations, actions, rewards = [observation], [], []
        expert = self.make_expert(self.env)
        executed, terminated, truncated = None, False, False
        while not (terminated or truncated or self.is_cut(len(rewards))):
            action = as_action(self.action_space, expert(observation, executed))
            actions.append(action)
            executed = action if rng is None else self._executed(action, admissible_commands(self.action_space, info), rng)
            observation, reward, terminated, truncated, info = self.env.step(executed)
            observations.append(observation)
            rewards.append(reward)
        return Trajectory(observations, actions, rewards, bool(terminated), info)

    def _executed(self, action: Any, commands: Sequence[str], rng: np.random.Generator) -> Any:
        """The action that is executed; of a text game, at random one of the commands that it admits."""
        if commands:
            return commands[rng.integers(len(commands))] if rng.random() < self.noise else action
        return self.perturb(action, rng)

    def _demonstration(self, seed: int) -> Episode:
        return self._demonstrate(seed, generator(Purpose.NOISE, seed))

    def _expert_return(self, seed: int) -> float:
        return float(self._demonstrate(seed, None).rewards.sum())

    def _demonstrate(self, seed: int, rng: np.random.Generator | None) -> Episode:
        """One episode to train on."""
        played = self.play(seed, rng)
        return Episode(
            observations=stack(self.observation_space, played.observations[:-1]),
            actions=stack(self.action_space, played.actions),
            rewards=np.array(played.rewards, np.float32),
            source="expert",
        )


def _nearest(space: spaces.Box, values: np.ndarray) -> np.ndarray:
    """The values of a Box that are nearest to real numbers."""
    clipped = np.clip(values, space.low, space.high)
    if space.dtype.kind == "f":
        return clipped.astype(space.dtype)
    with np.errstate(invalid="ignore"):  # a bound of 64 bits may be too large once it is a float; below it is itself
        whole = np.rint(clipped).astype(space.dtype)
    return np.where(values >= space.high, space.high, np.where(values <= space.low, space.low, whole))


def make_env(class_path: str, init_args: dict[str, Any], render_mode: str | None = None) -> gymnasium.Env:
    """Makes the environment of a `ControlDataModule`, as `env_spec` asks for."""
    return pkgutil.resolve_name(class_path)(**init_args).make_env(render_mode)
