"""BabyAI: instructions in a grid world that the agent sees a part of, as pixels; one 16 x 16 patch a cell."""

from typing import Any, Literal

import gymnasium
import minigrid  # noqa: F401  (registers the levels)
import numpy as np
from minigrid.core.actions import Actions

from datamodules.control.babyai_view import PartialView, make_level
from datamodules.control.expert_task import ControlDataModule, Expert
from datamodules.control.experts.babyai import Bot, Reactive
from datamodules.control.trajectory import Trajectory
from gato_lightning.common.settings import PositiveInt
from gato_lightning.errors import ExpertFailure, UserError, unknown

LEVELS = [env_id for env_id in gymnasium.registry if env_id.startswith("BabyAI-")]

# MiniGrid's bot crashes or fails on these.
WITHOUT_EXPERT = {
    "BabyAI-KeyInBox-v0",
    "BabyAI-OpenDoorsOrderN2Debug-v0",
    "BabyAI-OpenDoorsOrderN4Debug-v0",
    "BabyAI-PutNextS5N2Carrying-v0",
    "BabyAI-PutNextS6N3Carrying-v0",
    "BabyAI-PutNextS7N4Carrying-v0",
}
MOVES = (Actions.left, Actions.right, Actions.forward)


class BabyAIDataModule(ControlDataModule):
    """One BabyAI level.

    Args:
        env_id: the level, such as `BabyAI-GoToLocal-v0`.
        expert: `bot`, which solves nearly all levels but explores by what it remembers; or `reactive`, nearly as good
            on levels of one clause in one room, which goes by what it sees.
        tile_size: pixels a side of a cell, 1 or more.
        kwargs: of `ControlDataModule`.
    """

    domain = "babyai"

    def __init__(
        self, env_id: str, expert: Literal["bot", "reactive"] = "bot", tile_size: PositiveInt = 16, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if env_id not in LEVELS:
            raise unknown("BabyAI level", env_id, LEVELS)
        if env_id in WITHOUT_EXPERT:
            raise UserError(f"the BabyAI level '{env_id}' has no expert: MiniGrid's bot fails on it")
        self.env_id, self.expert, self.tile_size = env_id, expert, tile_size
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space
        self.env.reset(seed=0)
        try:
            self.make_expert(self.env)
        except ExpertFailure as error:
            raise UserError(f"the BabyAI level '{env_id}' needs expert 'bot': {error}") from error

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        return PartialView(make_level(self.env_id, render_mode), self.tile_size)

    @property
    def blind_env(self) -> gymnasium.Env:
        assert isinstance(self.env, PartialView)
        return self.env.env

    def make_expert(self, env: gymnasium.Env) -> Expert:
        assert isinstance(env, PartialView)
        return Bot(env) if self.expert == "bot" else Reactive(env)

    @property
    def expert_name(self) -> str:
        return "MiniGrid's BabyAIBot" if self.expert == "bot" else "the reactive BabyAI expert"

    def success(self, played: Trajectory) -> bool:
        return played.total_reward > 0  # only a mission fulfilled earns anything

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        # Only moves: to drop, open or pick up a thing by chance can spoil the mission for good.
        return int(rng.choice(MOVES)) if rng.random() < self.noise else action
