from pathlib import Path

import gymnasium
import numpy as np
import pytest
from minigrid.minigrid_env import MiniGridEnv
from minigrid.utils.baby_ai_bot import BabyAIBot
from minigrid.wrappers import RGBImgPartialObsWrapper

import datamodules.control.minigrid_view
from datamodules.control.babyai import WITHOUT_EXPERT, BabyAIDataModule
from datamodules.control.trajectory import random_return
from gato_lightning.errors import ExpertFailure, UserError

LEVELS = ["GoToObj", "GoToRedBallGrey", "GoToLocal", "OpenDoor", "PickupLoc"]


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


@pytest.mark.parametrize("level", [*LEVELS, "BossLevel", "UnlockToUnlock", "PutNextLocal", "FindObjS5"])
def test_what_is_seen_is_what_minigrid_tells(level):
    env, rng = make(level).make_env(), np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        for _ in range(40):
            np.testing.assert_array_equal(env.symbols, MiniGridEnv.gen_obs(env.unwrapped)["image"])
            env.step(int(rng.choice(6, p=[0.15, 0.15, 0.4, 0.1, 0.1, 0.1])))


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


@pytest.mark.parametrize("level", [*LEVELS, "Unlock"])
def test_our_bot_acts_as_minigrids(level):
    module = make(level)
    rng, env = np.random.default_rng(0), module.make_env()
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        ours, theirs, executed, done = module.make_expert(env), BabyAIBot(env), None, False
        while not done:
            action = ours(observation, executed)
            assert action == theirs.replan(executed)
            executed = int(rng.integers(3)) if rng.random() < 0.2 else action
            observation, _, terminated, truncated, _ = env.step(executed)
            done = terminated or truncated


@pytest.mark.parametrize("level", LEVELS)
def test_the_reactive_expert_is_nearly_as_good_as_the_bot(level):
    means = {}
    for expert in ("bot", "reactive"):
        module = make(level, expert=expert, reference_episodes=50)
        means[expert] = np.mean([value for job in module.measurements()["expert"] for value in job()])
    assert means["reactive"] > means["bot"] - 0.03


def test_the_reactive_expert_turns_right_while_it_sees_no_target():
    module = make("GoToObj", expert="reactive")
    for seed in range(20):
        observation, _ = module.env.reset(seed=seed)
        if not module.make_expert(module.env).seen and module.env.symbols[3, 5, 0] == 2:  # a wall right ahead
            assert module.make_expert(module.env)(observation, None) == 1


def test_noise_only_moves():
    module = make("PickupLoc", noise=1.0)
    rng = np.random.default_rng(0)
    assert {module.perturb(3, rng) for _ in range(50)} == {0, 1, 2}
    assert make("PickupLoc", noise=0.0).perturb(3, rng) == 3


def test_episodes_with_noise_still_succeed():
    episodes = make("PickupLoc", expert="reactive", episodes=25, noise=0.3).jobs("train")[0]()
    assert np.mean([episode.rewards.sum() > 0 for episode in episodes]) > 0.9


def test_nothing_is_printed(capsys):
    module = make("PickupLoc")
    for seed in range(30):
        module.env.reset(seed=seed)
    assert capsys.readouterr().out == ""


def test_an_error_of_the_bot_is_an_expert_failure():
    module = make("GoToLocal")
    observation, _ = module.env.reset(seed=0)
    bot = module.make_expert(module.env)
    bot.stack = [None]
    with pytest.raises(ExpertFailure, match="gave up"):
        bot(observation, None)


def test_a_bot_that_cannot_make_up_its_mind_gives_up():
    """In some layouts of this level MiniGrid's bot plans in circles without ever returning."""
    (job,) = make("UnlockToUnlock", reference_episodes=6).measurements()["expert"]
    assert 0 < len(job()) < 6


@pytest.mark.parametrize("env_id", sorted(WITHOUT_EXPERT))
def test_levels_that_the_bot_fails_on_are_refused(env_id):
    with pytest.raises(UserError, match=env_id):
        BabyAIDataModule(env_id)


def test_levels_that_the_reactive_expert_cannot_do_are_refused():
    with pytest.raises(UserError, match="PutNextLocal-v0' needs expert 'bot'"):
        make("PutNextLocal", expert="reactive")


def test_an_unknown_level_is_named_with_the_nearest():
    with pytest.raises(UserError, match="'BabyAI-GoToLocl-v0'; did you mean BabyAI-GoToLocal-v0"):
        BabyAIDataModule("BabyAI-GoToLocl-v0")


def test_it_needs_no_robot_simulator():
    """Read off the source: a fresh interpreter would take many seconds to import."""
    for file in Path(datamodules.control.babyai.__file__).parent.rglob("babyai*.py"):
        assert not {"metaworld", "mujoco"} & set(file.read_text().replace(".", " ").split()), file
