"""Batches: those of one token, and how they move."""

import torch

from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.tokens.vocabulary import Kind


def test_a_batch_of_tokens_has_one_slot_a_sequence():
    ids = torch.tensor([5, 7, 9])
    batch = TokenBatch.of_tokens(ids, Kind.ACTION_TEXT)
    assert batch.ids.tolist() == [[5], [7], [9]]
    assert batch.kinds.tolist() == [[int(Kind.ACTION_TEXT)]] * 3
    assert batch.segment.tolist() == [[1]] * 3
    assert len(batch.patch_slots) == len(batch.targets) == 0


def test_kinds_may_differ():
    kinds = torch.tensor([int(Kind.ACTION_DISCRETE), int(Kind.ACTION_CONTINUOUS)])
    assert TokenBatch.of_tokens(torch.tensor([1, 2]), kinds).kinds[:, 0].tolist() == kinds.tolist()


def test_a_moved_batch_is_the_same():
    batch = TokenBatch.of_tokens(torch.tensor([1, 2]), Kind.ACTION_TEXT)
    moved = batch.to("cpu", non_blocking=True)
    for name, value in vars(batch).items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(getattr(moved, name), value)
        else:
            assert getattr(moved, name) == value
