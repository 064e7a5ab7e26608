"""The base of Gymnasium's own suites: an environment given by its id, and a control law as the expert."""

import pkgutil
from collections.abc import Collection
from typing import Any

import gymnasium
from gymnasium.utils import RecordConstructorArgs

from datamodules.control.expert_task import ControlDataModule
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import UserError, unknown
from gato_lightning.sequences.tasks import MAX_EPISODE_STEPS

NO_LIMIT = 500  # steps of an episode if the environment sets no limit, since the random policy might never end one


class ResetOptions(gymnasium.Wrapper, RecordConstructorArgs):
    """Gives `reset` options that it needs; those of the caller are laid over them.

    Args:
        env: the environment.
        options: what `reset` takes as `options`, or `package.module:name` of a function from the episode's seed to it.
    """

    def __init__(self, env: gymnasium.Env, options: dict[str, Any] | str) -> None:
        RecordConstructorArgs.__init__(self, options=options)
        super().__init__(env)
        self.options = pkgutil.resolve_name(options) if isinstance(options, str) else lambda seed: options

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=seed, options={**self.options(seed), **(options or {})})


class GymDataModule(ControlDataModule):
    """A registered Gymnasium environment.

    Args:
        env_id: Gymnasium's name of the environment, such as `CartPole-v1`.
        env_kwargs: what the environment's constructor takes, such as `{map_name: 8x8}`.
        max_episode_steps: an episode that has not ended by then is cut there, 1 or more; None: at the environment's own limit,
            or after 500 steps where it has none, which is told when it happens.
        reset_options: what `reset` takes as `options`, or `package.module:name` of a function from the episode's seed to it.
        kwargs: of `ControlDataModule`.
    """

    def __init__(
        self,
        env_id: str,
        env_kwargs: dict[str, Any] | None = None,
        max_episode_steps: PositiveInt | None = None,
        reset_options: dict[str, Any] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(max_episode_steps=MAX_EPISODE_STEPS if max_episode_steps is None else max_episode_steps, **kwargs)
        self.reset_options = reset_options
        if env_id not in self.env_ids():
            raise unknown(f"{self.domain} environment", env_id, self.env_ids())
        self.env_id, self.env_kwargs = env_id, env_kwargs or {}
        self._limit = max_episode_steps
        if self.env.spec is not None and self.env.spec.max_episode_steps is None:
            self.max_episode_steps = NO_LIMIT
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def env_ids(self) -> Collection[str]:
        """Returns the ids of the environments that have an expert."""
        raise NotImplementedError

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        settings = {**({"max_episode_steps": self._limit} if self._limit else {}), **self.env_kwargs}
        try:
            # Gymnasium's checker of environments under development slows each step down.
            env = gymnasium.make(self.env_id, render_mode=render_mode, disable_env_checker=True, **settings)
            return ResetOptions(env, options=self.reset_options) if self.reset_options else env
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(f"{self.env_id} cannot be made with env_kwargs {self.env_kwargs}: {error}") from error
