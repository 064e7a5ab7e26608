"""Settings of an expert's training: the project's own first, then those of the zoo."""

import pytest

from datamodules.control.training.zoo import tuned_settings
from gato_lightning.errors import UserError

pytest.importorskip("rl_zoo3", reason="the extra experts is not installed")


def test_the_projects_own_settings_come_first():
    settings, source = tuned_settings("ppo", "Hopper-v5")
    assert source == "recipes.yml (Hopper-v5)"
    assert settings["n_envs"] == 16
    assert tuned_settings("ppo", "dm_control/walker-walk-v0")[1] == "recipes.yml (dm_control)"


def test_another_version_of_an_environment_lends_its_settings():
    settings, source = tuned_settings("sac", "Swimmer-v5")
    assert source == "rl_zoo3 (Swimmer-v4)"
    assert settings["gamma"] == 0.999


def test_an_unknown_environment_has_the_default():
    assert tuned_settings("sac", "Own-v0")[1] == "rl_zoo3 (default)"


def test_an_unknown_algorithm_is_named():
    with pytest.raises(UserError, match="unknown algorithm 'pp0'; did you mean ppo"):
        tuned_settings("pp0", "Hopper-v5")
