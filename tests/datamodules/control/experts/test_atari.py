"""Experts of Atari games: where things are, and where the stick points."""

from datamodules.control.experts.atari import moved, stick


def test_the_stick_points_where_it_should():
    assert stick() == "NOOP"
    assert stick(right=3, down=-3, fire=True) == "UPRIGHTFIRE"
    assert stick(right=-3, down=3, tolerance=3) == "NOOP"
    assert stick(right=-4, down=4, tolerance=3) == "DOWNLEFT"


def test_what_jumps_has_not_moved():
    assert moved(now=5, before=9, most=20) == -4
    assert moved(now=200, before=9, most=20) == 0
