"""Weights of tasks become shares."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.base.weights import shares
from gato_lightning.errors import UserError

DOMAINS = {"a": "x", "b": "x", "c": "y"}


@given(st.lists(st.floats(0.01, 100), min_size=3, max_size=3), st.floats(0.01, 10), st.floats(0.01, 10))
def test_domains_have_their_weights_and_tasks_their_proportions_within(weights, x, y):
    by_task = dict(zip(DOMAINS, weights, strict=True))
    found = dict(zip(DOMAINS, shares(by_task, DOMAINS, {"x": x, "y": y}), strict=True))
    assert sum(found.values()) == pytest.approx(1)
    assert found["c"] == pytest.approx(y / (x + y))
    assert found["a"] / found["b"] == pytest.approx(by_task["a"] / by_task["b"])


def test_a_domain_that_is_not_named_keeps_the_weights_of_its_tasks():
    np.testing.assert_allclose(shares({"a": 1, "b": 1, "c": 2}, DOMAINS, {"x": 6}), [3 / 8, 3 / 8, 2 / 8])


@pytest.mark.parametrize(
    ("weights", "domain_weights", "message"),
    [
        ({}, {}, "data.tasks: empty"),
        ({"a": 0, "b": 0, "c": 0}, {}, "all weights are 0"),
        ({"a": 0, "b": 0, "c": 1}, {"x": 1}, r"domain_weights\.x: all weights of its tasks are 0"),
        ({"a": 1, "b": 1, "c": 1}, {"z": 1}, "unknown domain in data.domain_weights 'z'"),
    ],
)
def test_weights_without_a_share_are_refused(weights, domain_weights, message):
    with pytest.raises(UserError, match=message):
        shares(weights, DOMAINS, domain_weights)
