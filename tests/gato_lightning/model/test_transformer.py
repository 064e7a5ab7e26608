"""Who sees whom in packed sequences, and how positions turn queries and keys."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.model.block_attention import turn
from gato_lightning.model.transformer import rotary_angles, segment_mask


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4))
def test_a_slot_sees_the_slots_of_its_segment_up_to_itself(lengths):
    segment = torch.repeat_interleave(torch.arange(1, len(lengths) + 1), torch.tensor(lengths))[None]
    mask = segment_mask(segment)[0, 0]
    for i in range(mask.shape[0]):
        for j in range(mask.shape[0]):
            assert bool(mask[i, j]) == (j <= i and segment[0, i] == segment[0, j])


def test_no_row_is_without_keys_where_slots_are_empty():
    assert segment_mask(torch.tensor([[1, 1, 0, 0]])).any(-1).all()


def test_turned_products_depend_on_the_distance_alone():
    torch.manual_seed(0)
    qk = torch.randn(1, 1, 2, 1, 8).expand(1, 12, 2, 1, 8)  # the same query and key everywhere
    turned = turn(qk, *rotary_angles(torch.arange(12)[None], 8, torch.float32))
    scores = turned[0, :, 0, 0] @ turned[0, :, 1, 0].T
    for distance in range(-11, 12):
        diagonal = scores.diagonal(distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), atol=1e-4, rtol=1e-4)
    assert scores[0, 0] != scores[0, 5]
