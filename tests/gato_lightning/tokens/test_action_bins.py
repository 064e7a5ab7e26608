"""Bins of actions: inside the bounds, in order, and exact where there is a bin for each value."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.tokens.action_bins import action_bins


@st.composite
def real_boxes(draw):
    low = draw(st.floats(-1e3, 1e3))
    high = low + draw(st.floats(1e-3, 1e4))
    kind = draw(st.sampled_from(["both", "low", "high", "none"]))
    bounds = {"both": (low, high), "low": (low, np.inf), "high": (-np.inf, high), "none": (-np.inf, np.inf)}[kind]
    return spaces.Box(*bounds, (2,), np.float64)


@given(real_boxes(), st.lists(st.floats(-2e4, 2e4), min_size=2, max_size=8))
def test_what_is_decoded_lies_in_the_space_and_keeps_its_bin(space, values):
    bins = action_bins(space)
    given_values = np.stack([np.sort(values)] * 2, axis=1)
    ids = bins.encode(given_values)
    decoded = bins.decode(ids)
    assert all(row in space for row in decoded)
    assert (np.diff(ids, axis=0) >= 0).all()
    np.testing.assert_array_equal(bins.encode(decoded), ids)


@given(st.integers(-(2**31), 2**31 - 2000), st.integers(0, 1023))
def test_up_to_1024_whole_numbers_have_a_bin_each(low, more):
    space = spaces.Box(low, low + more, (1,), np.int64)
    bins, values = action_bins(space), np.arange(low, low + more + 1)[:, None]
    assert bins.counts.tolist() == [more + 1]
    np.testing.assert_array_equal(bins.decode(bins.encode(values)), values)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.uint32, np.int64, np.uint64])
def test_the_ends_of_every_integer_type_are_in_order(dtype):
    ends = np.iinfo(dtype)
    bins = action_bins(spaces.Box(ends.min, ends.max, (1,), dtype))
    ids = bins.encode(np.array([[ends.min], [ends.max]], dtype))
    assert ids[0, 0] == 0
    assert ids[1, 0] == bins.counts[0] - 1
    decoded = bins.decode(ids)
    assert decoded.dtype == dtype
    assert decoded[0, 0] < decoded[1, 0]


def test_a_bool_box_has_two_bins():
    bins = action_bins(spaces.Box(0, 1, (1,), np.bool_))
    assert bins.counts.tolist() == [2]
    np.testing.assert_array_equal(bins.decode(bins.encode(np.array([[False], [True]]))), [[False], [True]])
