"""The base of tasks with an environment and an expert. It provides demonstrations, reference returns and rollouts."""

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

# (observation, action executed before it, or None) -> action
Expert = Callable[[Any, Any], Any]


class ControlDataModule(EnvironmentTask):
    """Demonstrations of an expert in an environment.

    With `noise`, the executed action sometimes differs from the expert's, but the expert's is recorded. So the demonstrations
    show how to recover from states that only an imperfect policy reaches (Laskey et al. 2017, DART).

    An episode whose environment or expert raises an error, hangs or ends its process is left out, listed and counted.

    Args:
        episodes: number of demonstrations, 1 or more.
        val_episodes: number of further demonstrations for the validation loss, 1 or more.
        noise: noise of executed actions, 0 or more: for Box actions the standard deviation, in halves of the action's range;
            for others the probability of a random action. A text game's random action is one of the commands in
            `info["admissible_commands"]`, if it gives them.
        reference_episodes: number of episodes that measure the return of the expert without noise, and of the random policy;
            1 or more.
        timesteps: maximum number of timesteps in a window, in training and acting, 1 or more; None: as many as fit.
        min_score: episodes with a lower normalised score are left out; null keeps all. The paper keeps returns of at least 80%
            of the expert's; a score is also defined if returns are negative. Noise lowers returns but not the quality of the
            recorded actions, so use a lower value with much noise.
        seed: number added to the seeds of the demonstrations, 0 or more.
        time_limit: maximum seconds per episode, above 0.
        max_episode_steps: number of steps after which an unfinished episode is cut, in collecting and rollouts; 1 or more.
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
        """Returns the expert for the episode that has just begun in `env`."""
        raise NotImplementedError

    @property
    def expert_name(self) -> str:
        """Name of the expert in the metadata of data sets."""
        return f"the expert of {type(self).__name__}"

    def success(self, played: Trajectory) -> bool | None:
        """Returns whether the episode was a success, as its environment reports; None if the environment does not report it."""
        reported = [played.info[key] for key in ("success", "is_success") if key in played.info]
        return bool(reported[0]) if reported else None

    def env_spec(self, name: str) -> EnvSpec:
        """Returns the spec from which `gymnasium.make` makes this environment, for the metadata of data sets.

        It is Gymnasium's own spec if that describes all wrappers and can be serialised. Otherwise it makes the environment
        through this class, which requires this project.

        Args:
            name: name of the task.
        """
        own = self.env.spec
        complete = own is not None and all(wrapper.kwargs is not None for wrapper in own.additional_wrappers)
        if complete and isinstance(own.entry_point, str):
            return own
        kwargs = {"class_path": public_name(type(self)), "init_args": dict(self.hparams)}
        return EnvSpec(f"gato/{name}", "datamodules:make_env", order_enforce=False, disable_env_checker=True, kwargs=kwargs)

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        """Returns the action that is executed, with noise, in place of the expert's `action`."""
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
        """Returns the environment with its demonstrations and reference returns; call after `setup`."""
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
        """Plays one episode of the expert, with noise if `rng` is given.

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
        """Returns the action that is executed, with noise; in a text game, noise draws one of its admissible commands."""
        if commands:
            return commands[rng.integers(len(commands))] if rng.random() < self.noise else action
        return self.perturb(action, rng)

    def _demonstration(self, seed: int) -> Episode:
        return self._demonstrate(seed, generator(Purpose.NOISE, seed))

    def _expert_return(self, seed: int) -> float:
        return float(self._demonstrate(seed, None).rewards.sum())

    def _demonstrate(self, seed: int, rng: np.random.Generator | None) -> Episode:
        """Plays one episode to train on."""
        played = self.play(seed, rng)
        return Episode(
            observations=stack(self.observation_space, played.observations[:-1]),
            actions=stack(self.action_space, played.actions),
            rewards=np.array(played.rewards, np.float32),
            source="expert",
        )


def _nearest(space: spaces.Box, values: np.ndarray) -> np.ndarray:
    """Returns the values of a Box that are nearest to the given real numbers."""
    clipped = np.clip(values, space.low, space.high)
    if space.dtype.kind == "f":
        return clipped.astype(space.dtype)
    with np.errstate(invalid="ignore"):  # as a float, a 64-bit bound may overflow; the line below uses the exact bound
        whole = np.rint(clipped).astype(space.dtype)
    return np.where(values >= space.high, space.high, np.where(values <= space.low, space.low, whole))


def make_env(class_path: str, init_args: dict[str, Any], render_mode: str | None = None) -> gymnasium.Env:
    """Makes the environment of a `ControlDataModule`; the entry point in `ControlDataModule.env_spec`."""
    return pkgutil.resolve_name(class_path)(**init_args).make_env(render_mode)
