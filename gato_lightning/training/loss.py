"""The loss: L = - sum_b sum_l m(b, l) log p(s_l | s_1 .. s_l-1) with m = 1 on text and actions (Gato, section 2.3).

B sequences, L slots, N predicted slots, D width, V vocabulary
"""

from typing import Any

import torch
from torch import Tensor

from gato_lightning.model.gato import Gato
from gato_lightning.model.padding import pad_rows
from gato_lightning.model.precision import compute_dtype
from gato_lightning.sequences.batch import TokenBatch


class LinearCrossEntropy(torch.autograd.Function):
    """- log softmax(states @ weight^T)[target] of each row, with one pass over the logits.

    The probabilities are kept in the compute dtype, and the gradient is made from them by matrix products alone:
    d loss / d logits = probability - 1 at the target. The separate operations would copy all logits to fp32 and back, which
    costs more time than the products.

    Where the target is likely, 1 - p cancels in bf16; there the sum of the other probabilities stands for it, of which each is
    exact to its own size. So a token with p = 0.9985 has its small loss and gradient too.
    """

    @staticmethod
    def forward(ctx: Any, states: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        """Args: states (N, D), weight (V, D), targets (N,) int64. Returns: (N,) float32 nats."""
        dtype = compute_dtype(states)
        states, weight = states.to(dtype), weight.to(dtype)
        rows = torch.arange(len(targets), device=targets.device)
        with torch.autocast(states.device.type, enabled=False):
            logits = states @ weight.T  # (N, V)
            if dtype == torch.float16:  # whose smallest number is a loss of 17
                logits = logits.float()
            others = torch.softmax(logits, dim=-1, out=logits)  # in its place; the softmax sums in fp32
            hit = others[rows, targets].float()
            others[rows, targets] = 0.0
            miss = others.sum(dim=-1).float()  # 1 - hit
        ctx.save_for_backward(states, weight, targets, others, miss)
        return -torch.where(hit < 0.5, hit.clamp(min=torch.finfo(torch.float32).tiny).log(), torch.log1p(-miss))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of the states and, in fp32, of the weight."""
        states, weight, targets, others, miss = ctx.saved_tensors
        others = others.to(states.dtype)
        grad = grad_outputs[0][:, None]
        at_target = (grad * miss[:, None]).to(states.dtype)
        grad = grad.to(states.dtype)
        d_weight = (others.T @ (states * grad)).float()  # (V, D)
        d_weight.index_add_(0, targets, -(states * at_target).float())
        return (others @ weight) * grad - weight[targets] * at_target, d_weight, None


def token_losses(model: Gato, batch: TokenBatch) -> Tensor:
    """- log p of each predicted slot, in nats.

    Logits are computed only where m = 1: with 4 actions in 44 tokens, a softmax over 33k ids everywhere would cost more than
    all the rest of the model.

    Returns:
        (N,) float32, in the order of `batch.targets`.
    """
    states = model(batch).flatten(0, 1)  # (B * L, D)
    slots = pad_rows(batch.targets)
    # The state before a slot predicts it; targets are never the first slot of a segment.
    before = states.index_select(0, (slots - 1).clamp(min=0))
    losses = LinearCrossEntropy.apply(before, model.embedding.table.weight, batch.ids.flatten()[slots])
    return losses[: len(batch.targets)]
