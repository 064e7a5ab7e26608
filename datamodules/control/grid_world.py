"""The base of BabyAI and MiniGrid: missions in a partially observed grid world, seen as pixels with one patch per cell."""

from typing import Any, ClassVar

import gymnasium
import minigrid  # noqa: F401  (registers the levels)
import numpy as np
from minigrid.core.actions import Actions

from datamodules.control.expert_task import ControlDataModule
from datamodules.control.minigrid_view import PartialView, make_level
from datamodules.control.trajectory import Trajectory
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import unknown

MOVES = (Actions.left, Actions.right, Actions.forward)


class GridWorldDataModule(ControlDataModule):
    """One level of BabyAI or MiniGrid.

    Args:
        env_id: Gymnasium id of the level.
        tile_size: side of a cell in pixels, 1 or more.
        kwargs: of `ControlDataModule`.

    Attributes:
        family: prefix of the ids of its levels.
    """

    family: ClassVar[str]

    def __init__(self, env_id: str, tile_size: PositiveInt = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if env_id not in self.levels():
            raise unknown(f"{self.family} level", env_id, self.levels())
        self.env_id, self.tile_size = env_id, tile_size
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    @classmethod
    def levels(cls) -> list[str]:
        """Returns the ids of all levels of the family."""
        return [env_id for env_id in gymnasium.registry if env_id.startswith(f"{cls.family}-")]

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        return PartialView(make_level(self.env_id, render_mode), self.tile_size)

    @property
    def blind_env(self) -> gymnasium.Env:
        assert isinstance(self.env, PartialView)
        return self.env.env

    def success(self, played: Trajectory) -> bool:
        return played.total_reward > 0  # only a fulfilled mission earns a reward

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        # Only moves: dropping, opening or picking up a thing by chance can make the mission impossible.
        return int(rng.choice(MOVES)) if rng.random() < self.noise else action
