"""BabyAI: instructions in a partially observed grid world."""

from typing import Any, Literal

import gymnasium

from datamodules.control.expert_task import Expert
from datamodules.control.experts.babyai import Bot, Reactive
from datamodules.control.grid_world import GridWorldDataModule
from datamodules.control.minigrid_view import PartialView
from gato_lightning.errors import ExpertFailure, UserError

# MiniGrid's bot crashes or fails on these.
WITHOUT_EXPERT = {
    "BabyAI-KeyInBox-v0",
    "BabyAI-OpenDoorsOrderN2Debug-v0",
    "BabyAI-OpenDoorsOrderN4Debug-v0",
    "BabyAI-PutNextS5N2Carrying-v0",
    "BabyAI-PutNextS6N3Carrying-v0",
    "BabyAI-PutNextS7N4Carrying-v0",
}


class BabyAIDataModule(GridWorldDataModule):
    """One BabyAI level.

    Args:
        env_id: the level, such as `BabyAI-GoToLocal-v0`.
        expert: `bot`, which solves nearly all levels but explores from memory; or `reactive`, which acts on what it sees and
            is nearly as good on levels with one clause and one room.
        kwargs: of `GridWorldDataModule`.
    """

    domain = "babyai"
    family = "BabyAI"

    def __init__(self, env_id: str, expert: Literal["bot", "reactive"] = "bot", **kwargs: Any) -> None:
        if env_id in WITHOUT_EXPERT:
            raise UserError(f"the BabyAI level '{env_id}' has no expert: MiniGrid's bot fails on it")
        super().__init__(env_id, **kwargs)
        self.expert = expert
        self.env.reset(seed=0)
        try:
            self.make_expert(self.env)
        except ExpertFailure as error:
            raise UserError(f"the BabyAI level '{env_id}' needs expert 'bot': {error}") from error

    def make_expert(self, env: gymnasium.Env) -> Expert:
        assert isinstance(env, PartialView)
        return Bot(env) if self.expert == "bot" else Reactive(env)

    @property
    def expert_name(self) -> str:
        return "MiniGrid's BabyAIBot" if self.expert == "bot" else "the reactive BabyAI expert"
