"""The loss: L = - sum_b sum_l m(b, l) log p(s_l | s_1 .. s_l-1) with m = 1 on text and actions (Gato, section 2.3).

B sequences, L slots, N predicted slots, D width, V vocabulary
"""

from typing import Any

import torch
from torch import Tensor

from gato_lightning.batch import TokenBatch
from gato_lightning.model import Gato
from gato_lightning.precision import compute_dtype


class LinearCrossEntropy(torch.autograd.Function):
    """- log softmax(states @ weight^T)[target] of each row, with one pass over the logits.

    The probabilities are kept in the compute dtype, and the gradient is made from them by matrix products alone:
    d loss / d logits = probability - 1 at the target. The two separate operations would copy all logits to fp32 and back, which
    costs more time than the products.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """Args: states (N, D), weight (V, D), targets (N,) int64. Returns: (N,) float32 nats."""
        dtype = compute_dtype(states)
        states, weight = states.to(dtype), weight.to(dtype)
        with torch.autocast(states.device.type, enabled=False):
            logits = states @ weight.T  # (N, V)
            probabilities = torch.softmax(logits, dim=-1, out=logits)  # in its place; the softmax sums in fp32
            target = probabilities.gather(1, targets[:, None])[:, 0].float()
        ctx.save_for_backward(states, weight, targets, probabilities)
        return -target.clamp(min=torch.finfo(torch.float32).tiny).log()

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of the states and, in fp32, of the weight."""
        states, weight, targets, probabilities = ctx.saved_tensors
        grad = grad_outputs[0].to(states.dtype)[:, None]
        scaled = states * grad  # (N, D)
        d_weight = (probabilities.T @ scaled).float()  # (V, D)
        d_weight.index_add_(0, targets, -scaled.float())
        return (probabilities @ weight - weight[targets]) * grad, d_weight, None


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
