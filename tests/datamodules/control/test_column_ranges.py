"""Ranges of columns: quantiles, rare values, what is clipped, and spaces that get bounds."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from datamodules.control.column_ranges import (
    ActionScaling,
    ColumnRange,
    lacks_bounds,
    measure,
    measure_space,
    remembered,
    with_bounds,
)
from gato_lightning.errors import UserError


def test_bounds_are_the_quantiles_widened_by_a_tenth():
    found = measure(np.linspace(0.0, 100.0, 10_001), ActionScaling(), "action")
    assert found.low == pytest.approx([1.0 - 9.8])
    assert found.high == pytest.approx([99.0 + 9.8])
    assert (found.least, found.most, found.clipped) == (0.0, 100.0, 0.0)


def test_outliers_are_clipped_and_their_share_is_told():
    values = np.append(np.linspace(-1.0, 1.0, 995), [1e6] * 5)
    found = measure(values, ActionScaling(), "action")
    assert found.high[0] < 2.0
    assert found.clipped == 5 / 1000


def test_rare_values_of_an_element_that_is_nearly_always_the_same_are_kept():
    gripper = np.zeros((1000, 1))
    gripper[3] = 1.0
    found = measure(gripper, ActionScaling(), "action")
    assert (found.low[0], found.high[0], found.clipped) == (-0.1, 1.1, 0.0)


def test_what_is_not_finite_is_passed_over():
    found = measure(np.array([[0.0], [np.nan], [np.inf], [1.0]]), ActionScaling(quantile=0.0, margin=0.0), "action")
    assert (found.low, found.high) == ([0.0], [1.0])
    with pytest.raises(UserError, match="action: no finite values"):
        measure(np.full((3, 1), np.nan), ActionScaling(), "action")


def test_bounds_may_be_given():
    scaling = ActionScaling(low=[-1.0, 0.0], high=[1.0, 2.0])
    found = measure(np.array([[0.0, 1.0], [0.5, 3.0]]), scaling, "action")
    assert (found.low, found.high, found.clipped) == ([-1.0, 0.0], [1.0, 2.0], 0.25)
    with pytest.raises(UserError, match=r"action: 1 elements, but scaling\.low has 2"):
        measure(np.zeros((2, 1)), scaling, "action")


@pytest.mark.parametrize("wrong", [{"low": [0.0]}, {"low": [0.0], "high": [1.0, 2.0]}, {"low": [1.0], "high": [0.0]}])
def test_bounds_that_are_none_are_refused(wrong):
    with pytest.raises(UserError, match="scaling: "):
        ActionScaling(**wrong)


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40), st.floats(0, 0.49), st.floats(0, 1))
def test_low_is_never_above_high_and_most_values_are_inside(values, quantile, margin):
    found = measure(np.array(values), ActionScaling(quantile, margin), "action")
    assert found.low[0] <= found.high[0]
    assert found.clipped <= 2 * quantile + 2 / len(values)


NESTED = spaces.Dict(
    {
        "arm": spaces.Box(np.array([-np.inf, -1.0], np.float32), np.array([np.inf, 1.0], np.float32)),
        "pair": spaces.Tuple([spaces.Discrete(3), spaces.Box(-np.inf, np.inf, (), np.float64)]),
    }
)


def test_only_elements_without_bounds_get_some():
    columns = [{"arm": np.array([[0.0, 5.0], [4.0, 6.0]]), "pair": (np.zeros(2, int), np.array([7.0, 8.0]))}]
    ranges = measure_space(NESTED, columns, ActionScaling(0.0, 0.0), "action")
    assert set(ranges) == {"action.arm", "action.pair.1"}
    bounded = with_bounds(NESTED, ranges, "action")
    np.testing.assert_array_equal(bounded["arm"].low, [0.0, -1.0])
    np.testing.assert_array_equal(bounded["arm"].high, [4.0, 1.0])
    assert (bounded["pair"][1].low, bounded["pair"][1].high) == (7.0, 8.0)
    assert bounded["pair"][1].dtype == np.float64
    assert not lacks_bounds(bounded)
    assert lacks_bounds(NESTED)


def test_what_was_measured_is_remembered(tmp_path):
    found = {"action": ColumnRange(0.0, 1.0, [0.1], [0.9], 0.25)}
    path = tmp_path / "cache" / "ranges.json"
    assert remembered(path, lambda: found) == found
    assert remembered(path, dict) == found
    assert [one.name for one in path.parent.iterdir()] == ["ranges.json"]
    path.write_text("{")  # cut short by a full disk
    assert remembered(path, lambda: found) == found
