"""Minari's files as this project writes them."""

import gymnasium
import pytest
from gymnasium import spaces

from gato_lightning.tokens.episode import plain_space


def test_missions_are_written_as_text():
    pytest.importorskip("minigrid")
    env = gymnasium.make("BabyAI-GoToObj-v0")
    assert isinstance(plain_space(env.observation_space)["mission"], spaces.Text)
