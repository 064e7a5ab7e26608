"""The base of Gymnasium's own suites: an environment by its id, and a control law as the expert."""

from collections.abc import Collection
from typing import Any

import gymnasium

from datamodules.control.expert_task import ControlDataModule
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import UserError, unknown
from gato_lightning.sequences.tasks import MAX_EPISODE_STEPS

NO_LIMIT = 500  # steps of an episode where the environment sets no limit: the random policy would wander for ever


class GymDataModule(ControlDataModule):
    """An environment that `gymnasium.make` knows.

    Args:
        env_id: Gymnasium's name of the environment, such as `CartPole-v1`.
        env_kwargs: what the environment's constructor takes, such as `{map_name: 8x8}`.
        max_episode_steps: an episode that has not ended by then is cut there, 1 or more; None: at the environment's own limit,
            or after 500 steps where it has none.
        kwargs: of `ControlDataModule`.
    """

    def __init__(
        self, env_id: str, env_kwargs: dict[str, Any] | None = None, max_episode_steps: PositiveInt | None = None, **kwargs: Any
    ) -> None:
        super().__init__(max_episode_steps=MAX_EPISODE_STEPS if max_episode_steps is None else max_episode_steps, **kwargs)
        self._limit = max_episode_steps
        if env_id not in self.env_ids():
            raise unknown(f"{self.domain} environment", env_id, self.env_ids())
        self.env_id, self.env_kwargs = env_id, env_kwargs or {}
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def env_ids(self) -> Collection[str]:
        """The environments that there is an expert for."""
        raise NotImplementedError

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        limit = self._limit or gymnasium.spec(self.env_id).max_episode_steps or NO_LIMIT
        settings = {"max_episode_steps": limit, **self.env_kwargs}
        try:
            # Gymnasium's checker of environments under development slows each step down.
            return gymnasium.make(self.env_id, render_mode=render_mode, disable_env_checker=True, **settings)
        except (TypeError, ValueError, KeyError) as error:
            raise UserError(f"{self.env_id} cannot be made with env_kwargs {self.env_kwargs}: {error}") from error
