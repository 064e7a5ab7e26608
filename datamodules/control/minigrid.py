"""MiniGrid beyond BabyAI: partially observed rooms with lava, locked doors, obstacles and hidden keys."""

from typing import Any

import gymnasium
import numpy as np
from minigrid.core.actions import Actions

from datamodules.control.expert_task import Expert
from datamodules.control.experts.minigrid import Explorer
from datamodules.control.grid_world import GridWorldDataModule
from datamodules.control.minigrid_view import PartialView
from gato_lightning.errors import ExpertFailure, UserError

# Families of levels whose goal is in the same place in all episodes.
FIXED_GOAL = ("Empty", "DoorKey", "LavaGap", "LavaCrossing", "SimpleCrossing", "DistShift", "Dynamic-Obstacles")


class MiniGridDataModule(GridWorldDataModule):
    """One MiniGrid level, such as `MiniGrid-DoorKey-8x8-v0`; see `experts.minigrid.Explorer` for the expert.

    Raises:
        UserError: if there is no such level, or the expert has no plan for its mission.
    """

    domain = "minigrid"
    family = "MiniGrid"
    expert_name = "a planner over the cells that were seen"

    def __init__(self, env_id: str, **kwargs: Any) -> None:
        super().__init__(env_id, **kwargs)
        self.env.reset(seed=0)
        try:
            self.make_expert(self.env)
        except ExpertFailure as error:
            raise UserError(f"the MiniGrid level '{env_id}' has no expert: {error}") from error

    def make_expert(self, env: gymnasium.Env) -> Expert:
        assert isinstance(env, PartialView)
        level = self.env_id.removeprefix("MiniGrid-")
        goal = None
        if level.startswith(FIXED_GOAL):
            world: Any = env.unwrapped
            place = next(i for i, cell in enumerate(world.grid.grid) if cell and cell.type == "goal")
            goal = (place % world.width, place // world.width)
        return Explorer(env, goal, moving=level.startswith("Dynamic-Obstacles"))

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        executed = super().perturb(action, rng)
        world: Any = self.env.unwrapped
        in_front = world.grid.get(*world.front_pos)
        # A step into lava or an obstacle would end the episode, which shows nothing about recovery.
        deadly = executed == Actions.forward and in_front is not None and in_front.type in ("lava", "ball", "wall")
        return action if deadly else executed
