"""Captions without a model: one caption for every picture, and that of the picture with the most similar colours."""

from collections.abc import Sequence

import numpy as np

from callbacks.scoring.caption_scores import cider_d, plain_words

LEVELS = 4  # of each channel in a colour histogram: 64 bins
_FIRST_LOOK = 24  # pictures on which every caption is tried; the best tenth goes on


def constant_caption(captions: Sequence[str], references: Sequence[Sequence[str]], seed: int = 0) -> str:
    """The caption that has the highest CIDEr-D when it is given to every picture.

    Every caption is tried on a few pictures, and the best tenth of them on all.

    Args:
        captions: what may be chosen.
        references: right captions of each picture, of at least two.
        seed: of the few pictures.
    """
    right = [[plain_words(reference) for reference in each] for each in references]
    order = np.random.default_rng(seed).permutation(len(right))
    few = [right[i] for i in order[:_FIRST_LOOK]]
    # In one order, so that ties are broken alike in every run.
    distinct = sorted({plain_words(caption) for caption in captions})
    tried = sorted(distinct, key=lambda caption: -cider_d([caption] * len(few), few))
    return max(tried[: -(-len(tried) // 10)], key=lambda caption: cider_d([caption] * len(right), right))


def nearest(pictures: Sequence[np.ndarray], others: Sequence[np.ndarray], mine: Sequence[int] = ()) -> list[int]:
    """For each picture, the index of the one among `others` whose colour histogram is nearest (sum of absolute differences).

    Args:
        pictures: N arrays uint8 (H, W, 3), of any size.
        others: M such arrays.
        mine: which of the others each picture is, if it is one of them; it is not its own neighbour.
    """
    theirs = np.stack([histogram(other) for other in others])  # (M, 64)
    distance = np.stack([np.abs(theirs - histogram(picture)).sum(axis=1) for picture in pictures])  # (N, M)
    distance[np.arange(len(mine)), list(mine)] = np.inf
    return distance.argmin(axis=1).tolist()


def histogram(picture: np.ndarray) -> np.ndarray:
    """Share of the pixels in each of 64 bins of colour: (64,) float64 of a uint8 (H, W, 3)."""
    levels = picture.reshape(-1, 3).astype(np.int64) * LEVELS // 256
    bins = levels @ np.array([LEVELS * LEVELS, LEVELS, 1])
    return np.bincount(bins, minlength=LEVELS**3) / len(bins)
