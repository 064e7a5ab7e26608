"""The embedding of patches: where they stand in the tables of positions."""

import torch

from gato_lightning.model.embedding import patch_positions


def test_patch_positions_worked_example():
    # Row 1 of 4, column 2 of 5: evaluation takes 48 and 64; training draws from [32, 64] and [51, 77], ends included.
    intervals = torch.tensor([[32, 64, 51, 77]])
    rows, columns = patch_positions(intervals, training=False)
    assert (rows.item(), columns.item()) == (48, 64)
    rows, columns = patch_positions(intervals.expand(5000, 4), training=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 64, 51, 77)
    assert not torch.equal(rows[:100], columns[:100])


def test_last_patch_stays_in_the_table():
    rows, columns = patch_positions(torch.tensor([[96, 128, 128, 128]]).expand(500, 4), training=True)
    assert max(rows.max(), columns.max()) <= 127
