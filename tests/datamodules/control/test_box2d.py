import numpy as np
import pytest

from datamodules.control.box2d import Box2DDataModule
from gato_lightning.errors import UserError


@pytest.mark.parametrize("continuous", [False, True])
def test_the_expert_lands(continuous):
    module = Box2DDataModule("LunarLander-v3", env_kwargs={"continuous": continuous}, reference_episodes=25)
    landed = [value for job in module.measurements()["expert"] for value in job()]
    assert np.mean(landed) > 240


def test_it_still_lands_with_a_tenth_of_random_actions():
    episodes = Box2DDataModule("LunarLander-v3", episodes=25, noise=0.1).jobs("train")[0]()
    assert np.mean([episode.rewards.sum() for episode in episodes]) > 220


def test_no_noise_once_a_leg_stands():
    module = Box2DDataModule("LunarLander-v3", noise=1.0)
    observation, _ = module.env.reset(seed=0)
    expert, rng = module.make_expert(module.env), np.random.default_rng(0)
    assert {module.perturb(0, rng) for _ in range(50)} == {0, 1, 2, 3}, "in the air"
    while not (observation[6] or observation[7]):
        observation, *_ = module.env.step(expert(observation, None))
    assert {module.perturb(0, rng) for _ in range(50)} == {0}


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"'LunarLander-v2'; did you mean LunarLander-v3"):
        Box2DDataModule("LunarLander-v2")
