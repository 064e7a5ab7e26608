"""What text costs without a model of words: zlib, and an n-gram model of bytes."""

import zlib

import numpy as np

_BYTES = 256


def zlib_bits_per_byte(text: bytes) -> float:
    """Bits a byte of `zlib` at its best level, 9."""
    return 8 * len(zlib.compress(text, 9)) / len(text)


def ngram_bits_per_byte(train: bytes, held_out: bytes, order: int = 5) -> float:
    """Bits a byte of held-out text under an n-gram model: interpolated Kneser-Ney (Chen and Goodman 1999, section 4.1.6).

        p_n(w | h) = max(c(h w) - d, 0) / c(h) + d N(h) / c(h) p_n-1(w | h less its first byte),   p_0 = 1 / 256

    with N(h) the different bytes seen after h, c the counts of `train` at the highest order and, below it, the number of
    different bytes seen before; d = n1 / (n1 + 2 n2), from the numbers of n-grams that occur once and twice.

    Args:
        train: what is counted.
        held_out: what is predicted.
        order: bytes of an n-gram, the predicted one among them.
    """
    text = np.frombuffer(train + held_out, np.uint8).astype(np.int64)
    trained = np.arange(len(text)) < len(train)
    # The n-gram that ends at each byte as a number, for n = 0 to the order; those at the very beginning reach before the text,
    # as if it went on there from its end.
    grams = [np.zeros(len(text), np.int64)]
    for _ in range(order):
        grams.append(np.unique(np.roll(grams[-1], 1) * _BYTES + text, return_inverse=True)[1])
    share = np.full(len(text), 1 / _BYTES)
    for n in range(1, order + 1):
        gram, context = grams[n], np.roll(grams[n - 1], 1)
        seen = np.flatnonzero(trained) if n == order else _first_of_each(grams[n + 1], trained)
        share = _interpolate(gram, context, seen, share)
    return float(-np.log2(share[len(train) :]).mean())


def _first_of_each(gram: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Where each different n-gram of the trained part ends first."""
    places = np.flatnonzero(trained)
    return places[np.unique(gram[places], return_index=True)[1]]


def _interpolate(gram: np.ndarray, context: np.ndarray, seen: np.ndarray, shorter: np.ndarray) -> np.ndarray:
    """Probability of each byte by n-grams, given that by shorter ones; `seen` are the places that count."""
    count = np.bincount(gram[seen], minlength=gram.max() + 1)  # of each n-gram
    once, twice = (count == 1).sum(), (count == 2).sum()
    discount = once / (once + 2 * twice) if once else 0.5  # without any, unseen bytes would be impossible
    _, first = np.unique(gram[seen], return_index=True)
    follows = np.bincount(context[seen][first], minlength=context.max() + 1)  # different bytes after each context
    total = np.bincount(context[seen], minlength=context.max() + 1)[context]
    by_count = np.maximum(count[gram] - discount, 0) + discount * follows[context] * shorter
    return np.where(total > 0, by_count / np.maximum(total, 1), shorter)
