"""Environments by their ids, with limits and arguments."""

import pytest

from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.control.gym_suite import NO_LIMIT
from datamodules.control.toy_text import ToyTextDataModule
from gato_lightning.errors import UserError


def limit(task) -> int:
    return task.env.spec.max_episode_steps


def test_the_environments_own_limit_holds_unless_another_is_given():
    assert limit(ClassicControlDataModule("CartPole-v1")) == 500
    assert limit(ClassicControlDataModule("CartPole-v1", max_episode_steps=7)) == 7


def test_where_there_is_none_an_episode_is_cut_and_that_is_told(caplog):
    task = ToyTextDataModule("CliffWalking-v1")
    assert limit(task) is None
    assert task.random_return(0) <= -NO_LIMIT
    assert f"task ToyTextDataModule: episodes are cut after {NO_LIMIT} steps (max_episode_steps)" in caplog.text
    assert ToyTextDataModule("CliffWalking-v1", max_episode_steps=1200).max_episode_steps == 1200


def of_seed(seed):
    return {"low": 0.001 * seed, "high": 0.002 * seed}


@pytest.mark.parametrize("options", [{"low": 0.005, "high": 0.01}, f"{__name__}:of_seed"])
def test_options_of_reset_reach_the_environment(options):
    env = ClassicControlDataModule("CartPole-v1", reset_options=options).make_env()
    observation, _ = env.reset(seed=5)
    assert ((observation >= 0.005) & (observation <= 0.01)).all()


def test_arguments_reach_the_environment():
    assert ToyTextDataModule("FrozenLake-v1", env_kwargs={"map_name": "8x8"}).observation_space.n == 64


@pytest.mark.parametrize(
    ("env_id", "env_kwargs", "message"),
    [
        ("CartPole-v2", None, "unknown classic-control environment 'CartPole-v2'"),
        ("CartPole-v1", {"no_such": 1}, "CartPole-v1 cannot be made with env_kwargs {'no_such': 1}"),
    ],
)
def test_what_cannot_be_made_is_named(env_id, env_kwargs, message):
    with pytest.raises(UserError, match=message):
        ClassicControlDataModule(env_id, env_kwargs=env_kwargs)
