"""Atari: pictures as Gato's, episodes that a seed fixes, scripts that beat chance."""

import numpy as np
import pytest

from datamodules.control.atari import AtariDataModule
from datamodules.control.experts.atari import SCRIPTS
from gato_lightning.errors import UserError


def returns(module: AtariDataModule, policy: str) -> list[float]:
    return [value for job in module.measurements()[policy] for value in job()]


# Actions of an episode, and by how much the script is better in it: far less than what it is on average.
@pytest.mark.parametrize(("game", "steps", "margin"), [("Freeway", 400, 3), ("Breakout", 300, 2), ("Pong", 400, 4)])
def test_the_script_beats_the_random_policy(game, steps, margin):
    module = AtariDataModule(game, max_episode_steps=steps, reference_episodes=1)
    assert returns(module, "expert")[0] >= returns(module, "random")[0] + margin


@pytest.mark.parametrize("game", SCRIPTS)
def test_an_episode_has_pictures_of_twenty_patches_and_valid_actions(game):
    module = AtariDataModule(game, max_episode_steps=40, episodes=1)
    (episode,) = module.jobs("train")[0]()
    assert episode.observations.shape == (40, 64, 80, 3)
    assert episode.observations.dtype == np.uint8
    assert episode.observations[-1].std() > 5, "not blank"
    assert all(module.action_space.contains(action) for action in episode.actions)


def test_a_seed_fixes_the_episode_whatever_came_before():
    module = AtariDataModule("Pong", max_episode_steps=40, episodes=2)
    second = module.jobs("train")[0]()[1]
    (alone,) = AtariDataModule("Pong", max_episode_steps=40, episodes=1, seed=1).jobs("train")[0]()
    np.testing.assert_array_equal(second.observations, alone.observations)
    np.testing.assert_array_equal(second.actions, alone.actions)


def test_sticky_actions_make_episodes_differ():
    first, second = AtariDataModule("Pong", max_episode_steps=120, episodes=2).jobs("train")[0]()
    assert (first.observations != second.observations).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"game": "Pongg"}, "'Pongg'; did you mean Pong"),
        ({"game": "Pong", "max_episode_steps": 0}, "max_episode_steps: 0, expected a whole number, 1 or more"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        AtariDataModule(**settings)
