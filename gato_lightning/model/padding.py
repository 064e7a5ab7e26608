"""Rows padded to few lengths: matrix products and convolutions are compiled for each shape when they first meet it.

oneDNN takes about 20 ms a shape for the logits of `gato_small` in bf16, a sixth of a training step, and keeps what it compiled.
"""

import torch.nn.functional as F
from torch import Tensor

_DIGITS = 5  # leading binary digits of a length: at most a sixteenth is added, and there are 16 lengths between 512 and 1024


def few_lengths(length: int) -> int:
    """The least length, not below this one, that has five leading binary digits at most: 1, 2, .. 32, 34, .. 64, 68, .."""
    step = 1 << max(0, (length - 1).bit_length() - _DIGITS)
    return -(-length // step) * step


def pad_rows(x: Tensor) -> Tensor:
    """(M, ...) of (N, ...), with M = `few_lengths(N)` and rows of zeros behind."""
    return F.pad(x, (0, 0) * (x.dim() - 1) + (0, few_lengths(len(x)) - len(x)))
