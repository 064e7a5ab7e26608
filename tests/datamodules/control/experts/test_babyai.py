"""BabyAI's experts: the bot and the reactive one."""

import numpy as np
import pytest
from minigrid.utils.baby_ai_bot import BabyAIBot

from datamodules.control.babyai import BabyAIDataModule
from gato_lightning.errors import ExpertFailure

LEVELS = ["GoToObj", "GoToRedBallGrey", "GoToLocal", "OpenDoor", "PickupLoc"]


def make(level: str, **settings: object) -> BabyAIDataModule:
    return BabyAIDataModule(f"BabyAI-{level}-v0", **settings)  # type: ignore[arg-type]


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
