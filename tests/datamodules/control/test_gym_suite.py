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


def test_where_there_is_none_a_random_policy_ends():
    assert limit(ToyTextDataModule("Blackjack-v1")) == NO_LIMIT


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
