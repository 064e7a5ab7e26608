"""What is held out is decided by the name alone."""

from hypothesis import given
from hypothesis import strategies as st

from datamodules.base.splits import is_held_out


@given(st.text(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_holds_out_all_that_a_smaller_one_does(key, one, other):
    small, large = sorted((one, other))
    assert is_held_out(key, large) or not is_held_out(key, small)


def test_the_ends_hold_out_nothing_and_everything():
    keys = [str(i) for i in range(100)]
    assert not any(is_held_out(key, 0.0) for key in keys)
    assert all(is_held_out(key, 1.0) for key in keys)


def test_the_share_is_about_the_fraction():
    held = sum(is_held_out(f"key {i}", 0.2) for i in range(5000))
    assert 850 < held < 1150  # 5.3 standard deviations


def test_the_border_never_moves():
    assert [key for key in "abcdefghij" if is_held_out(key, 0.3)] == ["a", "c", "e", "f", "h", "j"]
