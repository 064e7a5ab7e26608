"""In which dtype matrix products run."""

import torch
from torch import Tensor


def compute_dtype(like: Tensor) -> torch.dtype:
    """The dtype of matrix products of a tensor: autocast's where it is on, otherwise the tensor's own."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype
