"""The actions of a Box as bins: real numbers scaled from their bounds to 1024 bins, whole numbers counted from the lowest.

An element without a bound has bounds here all the same, so that each of its bins is an action: real numbers [-1, 1] without
any, [low, low + 2] or [high - 2, high] with one; whole numbers the 1024 beside the bound, or [-512, 511] without any.
"""

from typing import Any, Protocol

import numpy as np
from gymnasium import spaces

from gato_lightning.tokens.mu_law import bin_centres, to_bins
from gato_lightning.tokens.vocabulary import NUM_BINS


class ActionBins(Protocol):
    """Bins of the N elements of a Box, row-major.

    Attributes:
        counts: (N,) int64 bins of each element, from 1 to 1024.
    """

    counts: np.ndarray

    def encode(self, values: np.ndarray) -> np.ndarray:
        """(T, N) bins of (T, N) values; those outside the bounds are clipped to them."""

    def decode(self, bins: np.ndarray) -> np.ndarray:
        """(T, N) values of the space, in its dtype, from (T, N) bins."""


def action_bins(space: spaces.Box) -> ActionBins:
    """The bins that suit the dtype of a Box."""
    return _Real(space) if space.dtype.kind == "f" else _Whole(space)


def missing_bounds(space: spaces.Box) -> tuple[np.ndarray, np.ndarray]:
    """Which elements have no lower, and which no upper bound: (N,) bool each."""
    # float32's largest value is what some environments write for "no bound"
    most = float(np.finfo(np.float32).max)
    below = ~space.bounded_below | (space.low.astype(np.float64) <= -most)
    above = ~space.bounded_above | (space.high.astype(np.float64) >= most)
    return below.ravel(), above.ravel()


class _Real:
    """1024 equal bins between the bounds; decoded is the middle of a bin."""

    def __init__(self, space: spaces.Box) -> None:
        low, high = space.low.astype(np.float64).ravel(), space.high.astype(np.float64).ravel()
        below, above = missing_bounds(space)
        self._low = np.where(below, np.where(above, -1.0, high - 2.0), low)
        self._high = np.where(above, np.where(below, 1.0, low + 2.0), high)
        self._dtype = space.dtype
        self.counts = np.full(low.size, NUM_BINS)

    def encode(self, values: np.ndarray) -> np.ndarray:
        span = np.where(self._high > self._low, self._high - self._low, 1.0)
        return to_bins((np.clip(values, self._low, self._high) - self._low) / span * 2.0 - 1.0)

    def decode(self, bins: np.ndarray) -> np.ndarray:
        values = self._low + (bin_centres(bins) + 1.0) / 2.0 * (self._high - self._low)
        return np.clip(values, self._low, self._high).astype(self._dtype)


class _Whole:
    """A bin for each value where there are at most 1024; else bins of equally many values, of which the middle one is decoded.

    All is counted from the lowest value in uint64, whose wrapping makes differences of any two 64-bit integers right.
    """

    def __init__(self, space: spaces.Box) -> None:
        low, high = space.low.astype(object).ravel(), space.high.astype(object).ravel()  # Python's integers: any size
        below, above = missing_bounds(space)
        lowest = np.where(below, np.where(above, -NUM_BINS // 2, high - (NUM_BINS - 1)), low)
        highest = np.where(above, np.where(below, NUM_BINS // 2 - 1, low + (NUM_BINS - 1)), high)
        lowest, highest = np.maximum(lowest, low), np.minimum(highest, high)
        self._space_dtype = space.dtype
        self._dtype: Any = np.dtype(np.uint8) if space.dtype.kind == "b" else space.dtype
        self._low, self._high = lowest.astype(self._dtype), highest.astype(self._dtype)
        self._last = (highest - lowest).astype(np.uint64)
        self._width = self._last // NUM_BINS + 1  # values a bin
        self.counts = (self._last // self._width + 1).astype(np.int64)

    def encode(self, values: np.ndarray) -> np.ndarray:
        values = values.astype(np.uint8) if values.dtype.kind == "b" else values
        own, given = np.iinfo(self._dtype), np.iinfo(values.dtype)
        values = values.clip(max(own.min, given.min), min(own.max, given.max)).astype(self._dtype)
        steps = np.clip(values, self._low, self._high).astype(np.uint64) - self._low.astype(np.uint64)
        return (steps // self._width).astype(np.int64)

    def decode(self, bins: np.ndarray) -> np.ndarray:
        steps = np.minimum(bins.astype(np.uint64) * self._width + (self._width - 1) // 2, self._last)
        return (self._low.astype(np.uint64) + steps).astype(self._dtype).astype(self._space_dtype)
