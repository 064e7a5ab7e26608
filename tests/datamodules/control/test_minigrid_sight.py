"""Which cells the agent sees, in BabyAI and in MiniGrid."""

import numpy as np
import pytest
from minigrid.minigrid_env import MiniGridEnv

from datamodules.control.babyai import BabyAIDataModule

LEVELS = ["GoToObj", "GoToRedBallGrey", "GoToLocal", "OpenDoor", "PickupLoc"]


def make(level: str, **settings: object) -> BabyAIDataModule:
    return BabyAIDataModule(f"BabyAI-{level}-v0", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", [*LEVELS, "BossLevel", "UnlockToUnlock", "PutNextLocal", "FindObjS5"])
def test_what_is_seen_is_what_minigrid_tells(level):
    env, rng = make(level).make_env(), np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        for _ in range(40):
            np.testing.assert_array_equal(env.symbols, MiniGridEnv.gen_obs(env.unwrapped)["image"])
            env.step(int(rng.choice(6, p=[0.15, 0.15, 0.4, 0.1, 0.1, 0.1])))
