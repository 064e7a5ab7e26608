"""What lies in a space passes, what has no token is named."""

import re

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.evaluation.observations import fault

SPACE = spaces.Dict(
    {
        "image": spaces.Box(0, 255, (16, 16, 3), np.uint8),
        "joints": spaces.Tuple((spaces.Box(-1.0, 1.0, (2,)), spaces.MultiDiscrete([3, 4]))),
        "mission": spaces.Text(40),
        "switch": spaces.Discrete(4, start=1),
    }
)


@given(st.integers(0, 2**31 - 1))
def test_samples_of_a_space_pass(seed):
    SPACE.seed(seed)
    assert fault(SPACE, SPACE.sample()) == ""


def test_numbers_may_leave_their_bounds_and_be_wider():
    assert fault(spaces.Box(-1.0, 1.0, (2,), np.float32), np.array([7.0, -np.inf], np.float64)) == ""


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("image", np.zeros((16, 16, 3)), r"observation.image: dtype float64, expected uint8"),
        ("image", np.zeros((8, 16, 3), np.uint8), r"observation.image: shape \(8, 16, 3\), expected \(16, 16, 3\)"),
        ("joints", (np.array([0.0, np.nan], np.float32), np.array([0, 0])), r"observation.joints.0: not a number"),
        ("joints", (np.zeros(2, np.float32), np.array([0, 4])), r"observation.joints.1: \[0 4\] is not in MultiDiscrete"),
        ("joints", None, "observation.joints: None does not have the parts"),
        ("mission", 3, "observation.mission: 3 is not text"),
        ("switch", 5, r"observation.switch: 5 is not in Discrete\(4, start=1\)"),
    ],
)
def test_what_has_no_token_is_named(key, value, why):
    SPACE.seed(0)
    assert re.search(why, fault(SPACE, {**SPACE.sample(), key: value}))
