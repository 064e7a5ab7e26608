"""Mu-law and bins: exact at the edges, monotone, within half a bin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.tokens.mu_law import M, bin_centres, inverse_mu_law, mu_law, to_bins

reals = st.floats(allow_nan=False, allow_infinity=True, width=64)


def test_values_of_the_formula():
    assert mu_law(np.array(0.0)) == 0.0
    assert mu_law(np.array(M)) == pytest.approx(1.0)
    assert mu_law(np.array(1.0)) == pytest.approx(np.log(101) / np.log(25601))
    assert mu_law(np.array([-np.inf, np.inf])).tolist() == [-1.0, 1.0]


@given(st.lists(reals, min_size=1))
def test_bins_are_in_range_and_monotone(values):
    bins = to_bins(mu_law(np.sort(values)))
    assert bins.min() >= 0
    assert bins.max() <= 1023
    assert (np.diff(bins) >= 0).all()


@given(st.floats(-1.0, 1.0))
def test_round_trip_is_within_half_a_bin(y):
    assert abs(bin_centres(to_bins(np.array(y))) - y) <= 1 / 1024 + 1e-12


@given(st.floats(-M, M))
def test_inverse(x):
    assert inverse_mu_law(mu_law(np.array(x))) == pytest.approx(x, rel=1e-6, abs=1e-9)


def test_edges_fall_into_the_outer_bins():
    assert to_bins(np.array([-1.0, 1.0])).tolist() == [0, 1023]


@given(st.integers(0, 1023))
def test_every_centre_falls_into_its_own_bin(k):
    assert to_bins(bin_centres(np.array(k))) == k
