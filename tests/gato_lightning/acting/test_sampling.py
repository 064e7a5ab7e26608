"""Drawing: by the softmax, and among no more than is allowed."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.acting.sampling import DecodingSettings, draw
from gato_lightning.errors import UserError

SHARES = torch.tensor([0.05, 0.4, 0.15, 0.3, 0.1])


def drawn(temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0, count: int = 4000) -> torch.Tensor:
    """Share of each of five ids among `count` draws."""
    logits = SHARES.log().expand(count, -1)
    ids = draw(logits, temperature, top_k, top_p, torch.Generator().manual_seed(0))
    return torch.bincount(ids, minlength=5) / count


def renormalised(kept: list[int]) -> torch.Tensor:
    shares = torch.zeros(5)
    shares[kept] = SHARES[kept]
    return shares / shares.sum()


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"top_k": 2}, [1, 3]),
        ({"top_k": 99}, [0, 1, 2, 3, 4]),
        ({"top_p": 0.3}, [1]),
        ({"top_p": 0.69}, [1, 3]),
        ({"top_p": 0.8}, [1, 3, 2]),
        ({"top_k": 3, "top_p": 0.8}, [1, 3]),  # 0.4 + 0.3 of the 0.85 that top_k leaves
    ],
)
def test_what_is_left_is_drawn_by_its_own_shares(settings, kept):
    torch.testing.assert_close(drawn(**settings), renormalised(kept), atol=0.03, rtol=0)


def test_temperature_sharpens_and_zero_takes_the_likeliest():
    expected = SHARES.square() / SHARES.square().sum()
    torch.testing.assert_close(drawn(temperature=0.5), expected, atol=0.03, rtol=0)
    assert drawn(temperature=0.0)[1] == 1


@given(st.lists(st.floats(-20, 20), min_size=1, max_size=30), st.integers(1, 40), st.floats(0.01, 1))
def test_nothing_is_drawn_that_is_outside_top_k_and_top_p(values, top_k, top_p):
    logits = torch.tensor([values], dtype=torch.float32)
    [id_] = draw(logits, 1.0, top_k, top_p, torch.Generator().manual_seed(0)).tolist()
    likelier = (logits > logits[0, id_])[0]
    assert likelier.sum() < top_k
    kept = logits[0].sort(descending=True).values[:top_k].softmax(0)
    assert kept[: int(likelier.sum())].sum() <= top_p + 1e-4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -1.0}, "temperature: -1.0, expected"),
        ({"top_p": 0.0}, "top_p: 0.0, expected"),
        ({"top_k": 0}, "top_k: 0, expected"),
        ({"beams": 0}, "beams: 0, expected"),
        ({"max_new_tokens": 0}, "max_new_tokens: 0, expected"),
        ({"beams": 2, "temperature": 0.9}, "beam search draws nothing"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        DecodingSettings(**settings)
