import sysconfig
import zlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from callbacks.scoring.text_baselines import ngram_bits_per_byte, zlib_bits_per_byte

PROSE = (Path(sysconfig.get_paths()["stdlib"]) / "argparse.py").read_bytes()


def one_by_one(train: bytes, context: bytes, order: int) -> list[float]:
    """Probability of each byte after a context, by the formula, from dictionaries."""
    if order == 0:
        return [1 / 256] * 256
    context = context[len(context) - order + 1 :]
    grams = [train[i : i + order + 1] for i in range(len(train) - order)]
    counts = Counter(gram[1:] for gram in set(grams))
    return _kneser_ney(counts, context, one_by_one(train, context, order - 1))


def _kneser_ney(counts: Counter, context: bytes, shorter: list[float]) -> list[float]:
    once, twice = (sum(count == n for count in counts.values()) for n in (1, 2))
    discount = once / (once + 2 * twice)
    after = {gram[-1]: count for gram, count in counts.items() if gram[:-1] == context}
    total = sum(after.values())
    if not total:
        return shorter
    return [(max(after.get(b, 0) - discount, 0) + discount * len(after) * shorter[b]) / total for b in range(256)]


def test_the_model_is_kneser_ney_and_a_distribution():
    # Long enough that the few n-grams which reach over the text's border do not show.
    train, context = PROSE[:3000], b"arse"
    highest = Counter(train[i : i + 5] for i in range(len(train) - 4))
    expected = _kneser_ney(highest, context, one_by_one(train, context, 4))
    assert sum(expected) == pytest.approx(1)
    for byte in b"rz\x00":
        context_only = ngram_bits_per_byte(train, context) * 4
        assert ngram_bits_per_byte(train, context + bytes([byte])) * 5 - context_only == pytest.approx(
            -np.log2(expected[byte]), rel=0.02
        )


def test_longer_contexts_and_more_text_predict_better():
    held_out = PROSE[-20_000:]
    bits = [ngram_bits_per_byte(PROSE[:60_000], held_out, order) for order in (1, 2, 3, 5)]
    assert bits == sorted(bits, reverse=True)
    assert ngram_bits_per_byte(PROSE[:10_000], held_out) > bits[-1]


def test_what_was_never_seen_costs_eight_bits_or_more():
    assert 8 <= ngram_bits_per_byte(b"a" * 100, bytes(range(128, 256))) < 100


def test_zlib_is_what_zlib_gives():
    assert zlib_bits_per_byte(PROSE) == len(zlib.compress(PROSE, 9)) * 8 / len(PROSE)
