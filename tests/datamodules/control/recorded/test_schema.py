"""Columns nested as the spaces are: by name, in order, or one alone."""

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.column_ranges import ActionScaling, measure
from datamodules.control.recorded.schema import Schema, check_there, whole
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings

STEPS = 3
IMAGES = ImageSettings(height=32, width=32)
EPISODE = {
    "top": np.zeros((STEPS, 40, 40, 3), np.uint8),
    "wrist": np.zeros((STEPS, 40, 40, 3), np.uint8),
    "state": np.zeros((STEPS, 5)),
    "say": "go there",
    "arm": np.linspace(-1, 1, STEPS * 2).reshape(STEPS, 2),
    "reward": np.zeros(STEPS),
    "left": np.zeros(STEPS),
}


def schema(observations, actions="arm") -> Schema:
    return Schema.of(EPISODE, observations, actions, "reward", None, STEPS)


def test_a_dictionary_gives_names_and_a_list_an_order():
    found = schema({"cameras": ["top", "wrist"], "state": "state", "say": "say"})
    space = found.space("observation", {}, IMAGES)
    assert isinstance(space["cameras"], spaces.Tuple)
    assert found.shapes("observation", IMAGES) == {"cameras": ((32, 32, 3), (32, 32, 3)), "state": (5,), "say": ()}
    assert found.fill("observation", str.upper) == {"cameras": ("TOP", "WRIST"), "state": "STATE", "say": "SAY"}


def test_one_key_alone_has_no_name():
    found = schema("state")
    assert found.space("observation", {}, IMAGES).shape == (5,)
    assert found.fill("observation", lambda key: 1) == 1


def test_actions_get_the_bounds_that_were_measured():
    ranges = {"arm": measure(EPISODE["arm"], ActionScaling(), "arm")}
    assert schema("state").space("action", ranges, IMAGES).is_bounded("both")


def test_what_is_read_and_what_is_not():
    found = schema("state")
    assert found.keys == ["state", "arm", "reward"]
    assert found.return_keys == ["reward"]
    assert found.timed_by == "arm"
    assert found.unused == ("left", "say", "top", "wrist")
    parts = ["observation: state (real numbers (5,))", "action: arm (real numbers (2,))", "rewards: reward"]
    assert str(found) == "; ".join([*parts, "not used: left, say, top, wrist"])


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        ("stat", "arm", "unknown column 'stat'; did you mean state"),
        ("state", "top", "column top: an image cannot be an action"),
    ],
)
def test_mistakes_are_named(observations, actions, message):
    with pytest.raises(UserError, match=message):
        schema(observations, actions)


def test_one_value_holds_for_the_whole_episode():
    assert whole("go", 2) == ["go", "go"]
    assert whole(np.array(3), 2) == [3, 3]
    assert whole([1, 2], 2) == [1, 2]
    with pytest.raises(UserError, match="column say: missing"):
        check_there({"state": 1}, ["state", "say"])
