"""Matrix products of the Transformer."""

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """x W, without a bias.

    The weight is stored as (in, out), not as (out, in) like that of `nn.Linear`: acting shows the model one token at a time,
    and the product of a single row then reads the weight in the order in which it lies. For many rows the two are alike.

    Args:
        inputs: width of what comes in.
        outputs: width of what goes out.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(..., outputs) of (..., inputs)."""
        return x @ self.weight
