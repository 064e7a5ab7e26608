"""What callbacks that write for held-out examples share."""

from callbacks.scoring.held_out_text import evenly


def test_examples_are_taken_at_even_distances():
    assert evenly(10, 4) == [0, 3, 6, 9]
    assert evenly(3, 8) == [0, 1, 2]
