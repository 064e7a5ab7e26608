"""Messages: openpi's bytes, values checked against spaces, and no way to make the reader do more than read."""

import json

import msgpack
import numpy as np
import pytest
from gymnasium import spaces
from minari.serialization import serialize_space

from gato_lightning.errors import UserError
from gato_lightning.serving import protocol

VALUES = {
    "image": np.arange(12, dtype=np.uint8).reshape(2, 2, 3),
    "state": np.array([1.5, -np.inf]),
    "small": np.float32(0.25),
    "on": np.bool_(True),
    "empty": np.zeros((0, 3), np.int16),
    "prompt": "lift the cup",
    "nested": [{"n": 3}, None, 0.5],
}
SPACE = spaces.Dict(
    {
        "image": spaces.Box(0, 255, (16, 16, 3), np.uint8),
        "both": spaces.Tuple([spaces.Discrete(3), spaces.Box(-1, 1, (2,))]),
        "goal": spaces.Text(20),
    }
)


def value() -> dict:
    return {"image": np.zeros((16, 16, 3), np.uint8), "both": [2, np.zeros(2)], "goal": "go"}


def test_the_bytes_are_those_of_openpi():
    theirs = pytest.importorskip("openpi_client.msgpack_numpy", reason="openpi-client asks for an older numpy")
    assert protocol.pack(VALUES) == theirs.packb(VALUES)
    ours, other = protocol.unpack(theirs.packb(VALUES)), theirs.unpackb(protocol.pack(VALUES))
    for name in VALUES:
        np.testing.assert_array_equal(ours[name], other[name])
        assert type(ours[name]) is type(other[name])


def test_an_array_is_the_dictionary_that_openpi_describes():
    packed = msgpack.unpackb(protocol.pack({"a": np.array([1, 2], np.int16), "b": np.float32(2)}))
    assert packed["a"] == {b"__ndarray__": True, b"data": b"\1\0\2\0", b"dtype": "<i2", b"shape": [2]}
    assert packed["b"] == {b"__npgeneric__": True, b"data": 2.0, b"dtype": "<f4"}


def test_what_is_packed_is_read_back():
    for name, found in protocol.unpack(protocol.pack(VALUES)).items():
        np.testing.assert_array_equal(found, VALUES[name])
        assert getattr(found, "dtype", None) == getattr(VALUES[name], "dtype", None)


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"", "cannot be read"),
        (b"\xc1", "cannot be read"),
        (b"\x91" * 5000, "cannot be read"),
        (msgpack.packb([1]), "found a list"),
        (msgpack.packb({"a": 1}) + b"x", "cannot be read"),
        (msgpack.packb({(): 1}), "cannot be read"),
        (b"\xdd\xff\xff\xff\xff", "cannot be read"),
        (msgpack.packb([0] * 70_000), "exceeds max_array_len"),
    ],
    ids=range(8),
)
def test_what_is_no_dictionary_is_told(message, why):
    with pytest.raises(UserError, match=why):
        protocol.unpack(message)


@pytest.mark.parametrize(
    "array",
    [
        {b"dtype": "O", b"shape": [1], b"data": bytes(8)},
        {b"dtype": "i4,i4", b"shape": [1], b"data": bytes(8)},
        {b"dtype": "(4000000,4000000)f4", b"shape": [1], b"data": bytes(8)},
        {b"dtype": "c8", b"shape": [1], b"data": bytes(8)},
        {b"dtype": "f8", b"shape": [1 << 40], b"data": bytes(8)},
        {b"dtype": "f8", b"shape": [-1], b"data": bytes(8)},
        {b"dtype": "f4", b"shape": [1], b"data": bytes(8)},
        {b"dtype": "f8", b"shape": "x", b"data": bytes(8)},
        {b"dtype": 7, b"shape": [1], b"data": bytes(8)},
        {b"dtype": "f8", b"shape": [1]},
        {b"dtype": "f8", b"shape": [1], b"data": "text"},
    ],
    ids=range(11),
)
def test_arrays_that_are_none_are_told(array):
    with pytest.raises(UserError, match="cannot be read"):
        protocol.unpack(msgpack.packb({"a": {b"__ndarray__": True, **array}}))


def test_an_observation_is_a_value_of_its_space():
    found = protocol.read_observation(SPACE, protocol.unpack(protocol.pack(value())))
    assert found in SPACE or found["both"][0] == 2  # a number of msgpack is an array of no dimensions
    assert found["image"].flags.writeable
    number = protocol.read_observation(spaces.Discrete(3), {"observation": 2})
    assert int(number) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"image": np.zeros((16, 16), np.uint8)}, r"observation.image: uint8 of shape \(16, 16\), expected numbers of shape"),
        ({"image": "x"}, "observation.image: a str, expected numbers"),
        ({"image": [0] * 768}, "observation.image: a list, expected numbers"),
        ({"image": np.full((16, 16, 3), "x")}, "observation.image: <U1"),
        ({"both": [1]}, "observation.both: expected a list of 2"),
        ({"both": [1, {}]}, "observation.both.1: a dict"),
        ({"goal": 3}, "observation.goal: a int, expected text"),
        ({"goal": "x" * 70_000}, "70000 characters"),
        ({"gaol": "x"}, "unknown key of observation 'gaol'; did you mean goal"),
        ({b"goal": 1}, "unknown key of observation"),
    ],
    ids=range(10),
)
def test_what_is_no_observation_is_told_by_its_key(change, why):
    with pytest.raises(UserError, match=why):
        protocol.read_observation(SPACE, value() | change)


def test_a_missing_key_is_told():
    with pytest.raises(UserError, match="observation: goal is missing; expected both, goal, image"):
        protocol.read_observation(SPACE, {key: part for key, part in value().items() if key != "goal"})


def test_actions_have_an_axis_of_timesteps():
    assert protocol.action_chunk(np.int64(3)).shape == (1,)
    assert protocol.action_chunk(np.zeros((2, 3), np.float32)).shape == (1, 2, 3)
    found = protocol.action_chunk({"say": "go", "move": (np.zeros(2), np.int64(1))})
    assert found["say"] == ["go"]
    assert [part.shape for part in found["move"]] == [(1, 2), (1,)]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ([], "reset: a list, expected a dictionary"),
        ({"tsak": 1}, "unknown key of reset 'tsak'; did you mean task"),
        ({3: 1}, "unknown key of reset '3'"),
        ({"task": 3}, "reset.task: a int, expected text"),
        ({"seed": -1}, "Reset.seed: -1"),
        ({"seed": 1.5}, "Reset.seed: 1.5"),
        ({"timesteps": 0}, "Reset.timesteps: 0"),
        ({"demonstrations": {}}, "reset.demonstrations: a dict"),
    ],
    ids=range(8),
)
def test_a_wrong_reset_is_told(asked, why):
    with pytest.raises(UserError, match=why):
        protocol.Reset.read(asked)


@pytest.mark.parametrize(
    "space", [SPACE, spaces.MultiBinary(4), spaces.MultiDiscrete([2, 3]), spaces.Discrete(2)], ids=range(4)
)
def test_spaces_are_read_as_minari_writes_them(space):
    assert protocol.read_space(serialize_space(space), "observation_space") == space


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"type": "MultiBinary", "n": 10**12}, "1000000000000 values"),
        ({"type": "Box", "shape": [10**6, 10**6], "low": 0, "high": 1, "dtype": "float32"}, "values, expected at most"),
        ({"type": "Tuple", "subspaces": [{"type": "Box", "shape": [10**9], "low": 0, "high": 1, "dtype": "f4"}]}, "values"),
        ({"type": "Graph"}, "expected a space as minari.serialization writes it"),
        ({"type": "Discrete"}, "expected a space"),
        ([], "expected a space"),
        (None, "expected a space"),
    ],
    ids=range(7),
)
def test_spaces_that_are_none_or_huge_are_told(described, why):
    with pytest.raises(UserError, match=why):
        protocol.read_space(json.dumps(described), "observation_space")


def test_demonstrations_are_columns_over_timesteps():
    shown = {"image": np.zeros((3, 16, 16, 3), np.uint8), "both": [np.ones(3), np.zeros((3, 2))], "goal": ["a", "b", "c"]}
    sent = protocol.unpack(protocol.pack({"d": {"observations": shown, "actions": np.zeros(3, np.int64)}}))["d"]
    episode = protocol.read_demonstration(SPACE, spaces.Discrete(2), sent, 0)
    assert (len(episode), episode.observations["goal"], episode.rewards.sum()) == (3, ["a", "b", "c"], 0)
    with pytest.raises(UserError, match=r"demonstrations\[4\].rewards: .* expected numbers of shape \(3,\)"):
        protocol.read_demonstration(SPACE, spaces.Discrete(2), {**sent, "rewards": np.zeros(2)}, 4)
    with pytest.raises(UserError, match=r"demonstrations\[4\].observations.goal: a text, expected a list"):
        protocol.read_demonstration(
            SPACE, spaces.Discrete(2), {**sent, "observations": {**sent["observations"], "goal": "a"}}, 4
        )
