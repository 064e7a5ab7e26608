"""The cache: states of lanes that grow evenly or not equal those of one pass over each lane."""

import copy
import dataclasses

import numpy as np
import pytest
import torch

from gato_lightning.acting.token_streams import TokenStreams
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.sequence import Slots, collate
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

# New slots of each of three lanes, chunk after chunk.
EVEN = [(5, 5, 5), (1, 1, 1), (3, 3, 3)]
UNEVEN = [(5, 0, 3), (2, 2, 2), (1, 1, 0), (1, 1, 1), (0, 4, 2)]


@pytest.mark.parametrize("positions", ["rotary", "learned", "none"])
@pytest.mark.parametrize("chunks", [EVEN, UNEVEN], ids=["even", "uneven"])
@torch.no_grad()
def test_states_equal_those_of_one_pass_without_a_cache(tiny_config, positions, chunks):
    torch.manual_seed(0)
    model = Gato(dataclasses.replace(tiny_config, positions=positions)).eval()
    rng = np.random.default_rng(0)
    streams = TokenStreams(model, 3)
    grown: list[list[int]] = [[], [], []]
    for counts in chunks:
        new = [rng.integers(0, 1000, count).tolist() for count in counts]
        states = streams.extend([[Slots.of_tokens(ids, Kind.ACTION_TEXT)] if ids else [] for ids in new])
        for lane, ids in enumerate(new):
            grown[lane] += ids
            if ids:
                whole = collate([[Slots.of_tokens(grown[lane], Kind.ACTION_TEXT)]], len(grown[lane]), Vocabulary())
                torch.testing.assert_close(states[lane], model(whole)[0, -1], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("weights", [torch.float32, torch.bfloat16], ids=["bf16-mixed", "bf16-true"])
@torch.no_grad()
def test_in_bf16_states_equal_those_of_one_pass_but_for_rounding(tiny_model, weights):
    model = copy.deepcopy(tiny_model).to(weights)
    whole = collate([[Slots.of_tokens([1, 2, 3, 4], Kind.ACTION_TEXT)]], 4, Vocabulary())
    with torch.autocast("cpu", torch.bfloat16, enabled=weights == torch.float32):
        streams = TokenStreams(model, 1)
        streams.extend([[Slots.of_tokens([1, 2, 3], Kind.ACTION_TEXT)]])
        state = streams.append(torch.tensor([4]), Kind.ACTION_TEXT)[0].float()
        expected = model(whole)[0, -1].float()
    assert torch.linalg.vector_norm(state - expected) < 0.02 * torch.linalg.vector_norm(expected)  # bf16 has 8 bits


@torch.no_grad()
def test_appended_tokens_equal_a_chunk(tiny_model):
    tokens = torch.tensor([[3, 4], [5, 6]])
    one_by_one, at_once = TokenStreams(tiny_model, 2), TokenStreams(tiny_model, 2)
    for streams in (one_by_one, at_once):
        streams.extend([[Slots.of_tokens([1, 2], Kind.ACTION_TEXT)]] * 2)
    at_once.extend([[Slots.of_tokens(row, Kind.ACTION_TEXT)] for row in tokens.numpy()])
    one_by_one.append(tokens[:, 0], Kind.ACTION_TEXT)
    one_by_one.append(tokens[:, 1], Kind.ACTION_TEXT, torch.tensor([True, False]))
    ends = torch.tensor([7, 6])
    both = one_by_one.append(ends, Kind.ACTION_TEXT)
    alone = at_once.append(ends, Kind.ACTION_TEXT)
    torch.testing.assert_close(both[0], alone[0], atol=1e-5, rtol=1e-5)  # | 1 2 3 4 7 |
    assert one_by_one.length.tolist() == [5, 4]  # the second lane: | 1 2 5 6 |
    whole = collate([[Slots.of_tokens([1, 2, 5, 6], Kind.ACTION_TEXT)]], 4, Vocabulary())
    torch.testing.assert_close(both[1], tiny_model(whole)[0, -1], atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_a_lane_taken_after_a_shorter_one_has_grown_is_whole(tiny_model):
    streams = TokenStreams(tiny_model, 2)
    streams.extend([[Slots.of_tokens([1, 2, 3, 4, 5], Kind.ACTION_TEXT)], [Slots.of_tokens([6], Kind.ACTION_TEXT)]])
    streams.append(torch.tensor([0, 7]), Kind.ACTION_TEXT, torch.tensor([False, True]))
    streams.take(torch.tensor([0, 0]))
    states = streams.append(torch.tensor([8, 9]), Kind.ACTION_TEXT)
    for state, last in zip(states, (8, 9), strict=True):
        whole = collate([[Slots.of_tokens([1, 2, 3, 4, 5, last], Kind.ACTION_TEXT)]], 6, Vocabulary())
        torch.testing.assert_close(state, tiny_model(whole)[0, -1], atol=1e-5, rtol=1e-5)
