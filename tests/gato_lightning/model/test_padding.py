"""Padding adds few rows, and leaves few lengths."""

import torch

from gato_lightning.model.padding import few_lengths, pad_rows


def test_lengths_are_few_and_hardly_longer():
    lengths = [few_lengths(n) for n in range(1, 4097)]
    assert all(n <= length <= n * 17 / 16 for n, length in enumerate(lengths, 1))
    assert len(set(lengths)) == 32 + 7 * 16
    assert few_lengths(0) == 0


def test_rows_of_zeros_come_behind():
    rows = torch.arange(1, 37 * 6 + 1, dtype=torch.uint8).view(37, 2, 3)
    padded = pad_rows(rows)
    assert padded.dtype == torch.uint8
    assert torch.equal(padded, torch.cat([rows, torch.zeros(1, 2, 3, dtype=torch.uint8)]))
