"""The partial view as pixels: the same as MiniGrid's, at less cost."""

import gymnasium
import numpy as np
import pytest
from minigrid.minigrid_env import MiniGridEnv
from minigrid.wrappers import RGBImgPartialObsWrapper

import datamodules.control.minigrid_view
from datamodules.control.babyai import BabyAIDataModule
from datamodules.control.trajectory import random_return


def make(level: str, **settings: object) -> BabyAIDataModule:
    return BabyAIDataModule(f"BabyAI-{level}-v0", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("level", "tile_size"), [("BossLevel", 16), ("UnlockPickup", 16), ("PickupLoc", 8)])
def test_the_picture_is_minigrids_own(level, tile_size):
    ours = make(level, tile_size=tile_size).make_env()
    theirs = RGBImgPartialObsWrapper(gymnasium.make(f"BabyAI-{level}-v0", disable_env_checker=True), tile_size)
    rng = np.random.default_rng(0)
    for seed in range(4):
        mine, _ = ours.reset(seed=seed)
        reference, _ = theirs.reset(seed=seed)
        for _ in range(30):
            np.testing.assert_array_equal(mine["image"], reference["image"])
            assert mine["mission"] == reference["mission"]
            assert mine["direction"] == reference["direction"]
            action = int(rng.integers(6))  # picks up, drops and opens things too
            mine, *_ = ours.step(action)
            reference, *_ = theirs.step(action)


def known_places(instruction):
    """Where a mission's things are, as far as its verifier knows."""
    parts = [getattr(instruction, name) for name in ("instr_a", "instr_b") if hasattr(instruction, name)]
    things = [getattr(instruction, name).obj_poss for name in ("desc", "desc_move", "desc_fixed") if hasattr(instruction, name)]
    return things + [known_places(part) for part in parts]


@pytest.mark.parametrize("level", ["PickupLoc", "PutNextLocal", "BossLevel"])
def test_missions_are_followed_as_by_minigrid(level):
    ours, theirs = make(level).blind_env, gymnasium.make(f"BabyAI-{level}-v0", disable_env_checker=True)
    rng = np.random.default_rng(0)
    for seed in range(4):
        ours.reset(seed=seed)
        theirs.reset(seed=seed)
        for _ in range(100):
            action = int(rng.choice(6, p=[0.1, 0.1, 0.3, 0.2, 0.2, 0.1]))
            assert ours.step(action)[1:] == theirs.step(action)[1:]
            assert known_places(ours.unwrapped.instrs) == known_places(theirs.unwrapped.instrs)


def test_random_play_looks_at_nothing(monkeypatch):
    module = make("GoToLocal")
    seen = [random_return(module.env, module.action_space, seed) for seed in range(20)]
    monkeypatch.setattr(datamodules.control.minigrid_view, "sight", None)
    assert [module.random_return(seed) for seed in range(20)] == seen
    assert any(seen)


def test_minigrid_computes_no_view(monkeypatch):
    module = make("GoToLocal", noise=0.2)
    monkeypatch.setattr(MiniGridEnv, "gen_obs_grid", None)  # the costliest part of a step, for the environment and the bot
    assert module.play(0, np.random.default_rng(0)).total_reward > 0


def test_observations_belong_to_the_space():
    module = make("GoToLocal")
    observation, _ = module.env.reset(seed=0)
    assert module.observation_space.contains(observation)
    assert observation["image"].shape == (112, 112, 3), "each cell one 16 x 16 patch"
