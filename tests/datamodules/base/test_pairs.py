"""Pairs in groups."""

from hypothesis import given
from hypothesis import strategies as st

from datamodules.base.pairs import grouped


@given(st.lists(st.integers()), st.integers(1, 9))
def test_groups_are_full_but_the_last_and_lose_nothing(items, size):
    groups = grouped(items, size)
    assert [item for group in groups for item in group] == items
    assert all(len(group) == size for group in groups[:-1])
    assert all(1 <= len(group) <= size for group in groups)
