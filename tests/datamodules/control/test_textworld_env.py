"""A text game takes any command: what it does not know changes nothing, and the interpreter's own never reach it.

The games are those of `test_textworld.py`, as making them takes long.
"""

import pytest

from datamodules.control.textworld_env import UNKNOWN_VERB, TextWorldEnv


@pytest.fixture(scope="module")
def env() -> TextWorldEnv:
    return TextWorldEnv("coin", {"level": 5}, 2, 2)


def test_any_text_is_a_command(env):
    start, info = env.reset(seed=0)
    own = ("quit", "restart", "save", "undo", "look then quit", "look and quit", "take coin then restart")
    for command in (*own, "xyzzy", "take", "go nowhere", "take a coin " * 6, "go - ' 3", "GO NORTH"):
        assert command in env.action_space
        observation, reward, terminated, truncated, now = env.step(command)
        assert (reward, terminated, truncated, now["success"]) == (0.0, False, False, False)
        assert {**observation, "feedback": ""} == start, command
        assert now["admissible_commands"] == info["admissible_commands"]
        assert observation["feedback"].startswith(f"> {' '.join(command.split())}")
    assert env.step("quit")[0]["feedback"] == f"> quit {UNKNOWN_VERB}"


def test_commands_have_their_effect_and_are_heard_of(env):
    env.reset(seed=1)
    total, over, heard = 0.0, False, []
    while not over:
        command = env.policy_commands[0]
        observation, reward, over, _, info = env.step(command)
        total += reward
        heard.append(observation["feedback"])
    assert (total, info["success"], len(heard)) == (1.0, True, 5)
    assert heard[-1].startswith("> take coin You pick up the coin")
    assert observation["inventory"] == "You are carrying: a coin."
    assert not any("TextWorld" in each or "\n" in each or "-=" in each for each in heard), "neither banner nor room"


def test_the_recipe_is_the_objective_of_cooking():
    env = TextWorldEnv("cooking", {"recipe": 1, "take": 1, "cook": True, "cut": True}, 2, 2)
    observation, _ = env.reset(seed=0)
    assert observation["objective"].startswith("Ingredients:")
    assert observation["objective"].endswith("prepare meal")
