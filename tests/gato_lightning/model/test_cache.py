"""The cache gives each lane its own keys and values, however unevenly the lanes grow."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gato_lightning.model.cache import KeyValueCache
from gato_lightning.model.config import GatoConfig

CONFIG = GatoConfig(width=8, depth=1, heads=2, head_size=4, feedforward=8, context_length=12)


def cache(lanes: int) -> KeyValueCache:
    return KeyValueCache(CONFIG, lanes, torch.device("cpu"), torch.float32)


@given(st.lists(st.lists(st.integers(0, 3), min_size=3, max_size=3), min_size=1, max_size=4))
@settings(deadline=None)
def test_every_lane_keeps_what_was_written_to_it(chunks):
    kept = cache(3)
    generator, length = torch.Generator().manual_seed(0), np.zeros(3, np.int64)
    expected = [torch.empty(2, 0, 4) for _ in range(3)]
    for counts in np.array(chunks):
        lanes = np.flatnonzero(counts)
        if not len(lanes):
            continue
        width = int(counts.max())
        keys = torch.randn(len(lanes), 2, width, 4, generator=generator)
        every, last = kept.begin(lanes, length[lanes], counts[lanes], width)
        seen_keys, seen_values = kept.update(0, keys, -keys)
        for row, lane in enumerate(lanes):
            expected[lane] = torch.cat([expected[lane], keys[row, :, : counts[lane]]], dim=1)
            total = expected[lane].shape[1]
            torch.testing.assert_close(seen_keys[row, :, :total], expected[lane])
            torch.testing.assert_close(seen_values[row, :, :total], -expected[lane])
            if last.hidden is not None:  # a lane's last new slot sees all of the lane, and nothing behind it
                hidden = last.hidden[row if len(last.hidden) > 1 else 0].flatten()
                assert (hidden[:total] == 0).all()
                assert (hidden[total:] == -torch.inf).all()
        assert every.slots is ...
        length[lanes] += counts[lanes]


def test_new_slots_do_not_see_later_ones():
    every, _ = cache(2).begin(np.arange(2), np.array([0, 0]), np.array([3, 3]), 3)
    assert every.hidden is not None
    assert (every.hidden[0, 0] == 0).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


@pytest.mark.parametrize("taken", [[1], [1, 0, 1], [2, 2, 2, 2]])
def test_taken_lanes_are_copies_in_their_order(taken):
    kept, keys = cache(3), torch.randn(3, 2, 2, 4)
    kept.begin(np.arange(3), np.zeros(3, np.int64), np.full(3, 2), 2)
    kept.update(0, keys, keys)
    kept.take(torch.tensor(taken))
    new = torch.zeros(len(taken), 2, 1, 4)
    kept.begin(np.arange(len(taken)), np.full(len(taken), 2), np.ones(len(taken), np.int64), 1)
    seen, _ = kept.update(0, new, new)
    torch.testing.assert_close(seen[:, :, :2], keys[taken])
