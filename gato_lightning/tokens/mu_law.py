"""Continuous values as tokens: mu-law companding, 1024 uniform bins (Gato, section 2.1 and appendix B)."""

import numpy as np

from gato_lightning.tokens.vocabulary import NUM_BINS

MU = 100.0  # Gato, appendix B
M = 256.0  # Gato, appendix B
_SCALE = float(np.log(MU * M + 1.0))


def mu_law(x: np.ndarray) -> np.ndarray:
    """F(x) = sgn(x) log(mu |x| + 1) / log(mu M + 1), clipped to [-1, 1]: |x| >= M, infinity too, maps to +-1.

    In the dtype of x; float32, whose logarithm has vector instructions, is right to a hundred-thousandth of a bin.
    """
    return np.copysign(np.minimum(np.log(np.minimum(np.abs(x), M) * MU + 1.0) / _SCALE, 1.0), x)


def inverse_mu_law(y: np.ndarray) -> np.ndarray:
    """The x in [-M, M] with F(x) = y, for y in [-1, 1]."""
    return np.sign(y) * np.expm1(np.abs(y) * _SCALE) / MU


def to_bins(y: np.ndarray) -> np.ndarray:
    """Bin of each value.

    Args:
        y: any shape, any real value; values outside [-1, 1] (+-inf too) are clipped. NaN is refused by the caller, who
            knows the key.

    Returns:
        int32 bins in [0, 1024): k = floor((y + 1) / 2 * 1024), with y = 1 in the last bin.
    """
    y = np.clip(y, -1.0, 1.0)
    return np.minimum(((y + 1.0) * (NUM_BINS / 2)).astype(np.int32), NUM_BINS - 1)


def bin_centres(bins: np.ndarray) -> np.ndarray:
    """The middle of each bin, in (-1, 1): half a bin (1/1024) from any value that falls into it."""
    return (np.asarray(bins) + 0.5) * (2.0 / NUM_BINS) - 1.0
