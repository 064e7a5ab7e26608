"""What policies return becomes an action of the space, of the space's own type; or the value and the space are named."""

import numpy as np
import pytest
import torch
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from datamodules.control.actions import as_action
from gato_lightning.errors import UserError
from tests.datamodules.echo_env import SPACES

DISCRETE, BOX, BINARY = spaces.Discrete(4, start=1), spaces.Box(-1, 1, (1,), np.float32), spaces.MultiBinary(2)


@given(kind=st.sampled_from(sorted(SPACES)), seed=st.integers(0, 2**31))
def test_an_action_of_the_space_stays_as_it_is(kind, seed):
    space = SPACES[kind]
    space.seed(seed)
    action = space.sample()
    found = as_action(space, action)
    assert space.contains(found)
    assert str(found) == str(action)


@pytest.mark.parametrize(
    ("space", "value", "expected"),
    [
        (DISCRETE, np.array(2), 2),
        (DISCRETE, np.array([2]), 2),
        (DISCRETE, torch.tensor([[2]]), 2),
        (DISCRETE, 2.0, 2),
        (DISCRETE, True, 1),
        (DISCRETE, (np.array(2), None), 2),
        (BOX, 0.5, [0.5]),
        (BOX, torch.tensor(0.5, requires_grad=True), [0.5]),
        (BOX, np.array([[0.5]]), [0.5]),
        (BOX, (np.array([0.5]), {"hidden": 1}), [0.5]),
        (BINARY, [True, False], [1, 0]),
        (spaces.Text(5), np.str_("north"), "north"),
        (spaces.Dict(turn=DISCRETE, push=BOX), {"turn": np.array(3), "push": 0.5}, {"turn": 3, "push": [0.5]}),
    ],
)
def test_other_types_are_brought_into_the_spaces_own(space, value, expected):
    action = as_action(space, value)
    assert space.contains(action)
    assert str(action).replace(" ", "") == str(space_value(space, expected)).replace(" ", "")


def space_value(space, expected):
    if isinstance(space, spaces.Dict):
        return {key: space_value(space[key], value) for key, value in expected.items()}
    return expected if isinstance(space, spaces.Text) else np.asarray(expected, space.dtype)[()]


@pytest.mark.parametrize(
    ("space", "value", "told"),
    [
        (DISCRETE, 2.5, r"the policy's action 2.5 \(float\) is no action of Discrete\(4, start=1\)"),
        (DISCRETE, None, "None"),
        (DISCRETE, "left", "'left'"),
        (DISCRETE, np.array([1, 2]), "array"),
        (BOX, np.zeros(2), "Box"),
        (BINARY, 3, "MultiBinary"),
        (spaces.Text(5), 3, "Text"),
        (spaces.Dict(turn=DISCRETE), {"push": 1}, "Dict"),
        (spaces.Dict(turn=DISCRETE), 1, "Dict"),
    ],
)
def test_what_is_no_action_is_named_with_the_space(space, value, told):
    with pytest.raises(UserError, match=told) as error:
        as_action(space, value)
    assert "\n" not in str(error.value)
