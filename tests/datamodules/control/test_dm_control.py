"""dm_control through Gymnasium's interface, with experts that do what their files say."""

import sys

import numpy as np
import pytest

from datamodules.control.dm_control import DmControlDataModule
from datamodules.control.suites import suite
from gato_lightning.errors import UserError

ENV_IDS = [task.init_args["env_id"] for task in suite("dm_control")]


def test_every_shipped_expert_is_in_the_list_of_tasks():
    assert set(DmControlDataModule(ENV_IDS[0]).env_ids()) == set(ENV_IDS)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_the_expert_collects_reward_that_chance_does_not(env_id):
    module = DmControlDataModule(env_id)
    observation, _ = module.env.reset(seed=7)
    expert, rewards = module.make_expert(module.env), []
    for _ in range(600):
        observation, reward, terminated, truncated, _ = module.env.step(expert(observation, None))
        assert module.observation_space.contains(observation)
        rewards.append(reward)
    assert not terminated
    assert not truncated
    about = module.policy.about
    assert np.mean(rewards) > (about["random_return_mean"] + 0.25 * (about["return_mean"] - about["random_return_mean"])) / 1000


def test_a_seed_fixes_the_episode_whatever_came_before():
    used, fresh = (DmControlDataModule("dm_control/reacher-easy-v0").make_env() for _ in range(2))
    used.reset(seed=1)
    used.step(np.ones(2))
    first, second = used.reset(seed=3)[0], fresh.reset(seed=3)[0]
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[key], second[key]) for key in first)
    first, second = used.step(np.ones(2))[0], fresh.step(np.ones(2))[0]
    assert all(np.array_equal(first[key], second[key]) for key in first)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "shimmy", None)
    with pytest.raises(UserError, match=r"dm_control/reacher-easy-v0 needs the extra dm-control"):
        DmControlDataModule("dm_control/reacher-easy-v0")
