"""The loss: L = - sum_b sum_l m(b, l) log p(s_l | s_1 .. s_l-1) with m = 1 on text and actions (Gato, section 2.3).

B sequences, L slots, N predicted slots, D width, V vocabulary
"""

from typing import Any

import torch
from torch import Tensor

from gato_lightning.batch import TokenBatch
from gato_lightning.model import Gato

ROWS = 128  # predicted slots whose logits are in fp32 at a time: they stay in the processor's cache


class LinearCrossEntropy(torch.autograd.Function):
    """- log softmax(states @ weight^T)[target] of each row, in one pass over the logits.

    The probabilities, which are also the gradient, are kept in the compute dtype; the fp32 copies of all logits that the two
    separate operations would make cost more time than the matrix product itself.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """Args: states (N, D), weight (V, D), targets (N,) int64. Returns: (N,) float32 nats."""
        device = states.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else states.dtype
        states, weight = states.to(dtype), weight.to(dtype)
        with torch.autocast(device, enabled=False):
            probabilities = states @ weight.T  # (N, V) logits, turned into probabilities below
            losses = torch.empty(len(states), device=states.device)
            for begin in range(0, len(states), ROWS):
                rows = slice(begin, begin + ROWS)
                log_p = probabilities[rows].float().log_softmax(dim=-1)
                losses[rows] = -log_p.gather(1, targets[rows, None])[:, 0]
                probabilities[rows] = log_p.exp_()
        ctx.save_for_backward(states, weight, targets, probabilities)
        return losses

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradient of the logits: probabilities - 1 at the target, times the incoming gradient."""
        states, weight, targets, probabilities = ctx.saved_tensors
        grad = grad_outputs[0].to(probabilities.dtype)[:, None]
        d_logits = probabilities * grad  # (N, V)
        d_logits.scatter_add_(1, targets[:, None], -grad)
        return d_logits @ weight, d_logits.T @ states, None


def token_losses(model: Gato, batch: TokenBatch) -> Tensor:
    """- log p of each predicted slot, in nats.

    Logits are computed only where m = 1: with 4 actions in 44 tokens, a softmax over 33k ids everywhere would cost more than
    all the rest of the model.

    Returns:
        (N,) float32, in the order of `batch.targets`.
    """
    states = model(batch).flatten(0, 1)  # (B * L, D)
    # The state before a slot predicts it; targets are never the first slot of a segment.
    before = states.index_select(0, batch.targets - 1)  # (N, D)
    return LinearCrossEntropy.apply(before, model.embedding.table.weight, batch.ids.flatten()[batch.targets])


def sums_by(group: Tensor, values: Tensor, size: int) -> Tensor:
    """Sum of the values and number of them in each group: (2, size) float32."""
    sums = torch.zeros(2, size, device=values.device)
    sums[0].index_add_(0, group, values.float())
    sums[1].index_add_(0, group, torch.ones_like(values, dtype=torch.float32))
    return sums
