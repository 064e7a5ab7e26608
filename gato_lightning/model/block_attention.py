"""Attention of packed sequences on a CPU, forward and backward, in blocks of queries.

PyTorch's fused kernel runs bf16 at fp32's speed on a CPU, while matrix products have bf16 instructions; and a mask hides more
than half of the products, which whole blocks can leave out. Rotary positions are turned in the same function: the way back is
the same turn, the other way round, and costs a third of what automatic differentiation makes of it.

B sequences, L slots, H heads, K head size, C queries of a block, M keys that one of them sees
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

BLOCK = 128  # queries; smaller ones leave out more, and are more calls


class QueryBlock(NamedTuple):
    """A stretch of queries, the stretch of keys that any of them sees, and 0 or -inf for each pair: (B, 1, C, M)."""

    queries: slice
    keys: slice
    hidden: Tensor


def query_blocks(mask: Tensor, dtype: torch.dtype) -> list[QueryBlock]:
    """Cuts a mask into blocks.

    Args:
        mask: (B, 1, L, L) bool, True = attends.
        dtype: of the scores.
    """
    found = []
    for begin in range(0, mask.shape[2], BLOCK):
        queries = slice(begin, min(begin + BLOCK, mask.shape[2]))
        seen = mask[:, 0, queries].any(dim=0).any(dim=0).nonzero()  # on a CPU, reading it waits for nothing
        keys = slice(int(seen[0]), int(seen[-1]) + 1)
        part = mask[:, :, queries, keys]
        found.append(QueryBlock(queries, keys, torch.zeros(part.shape, dtype=dtype).masked_fill_(~part, float("-inf"))))
    return found


def turn(x: Tensor, cos: Tensor, sin: Tensor, back: bool = False) -> Tensor:
    """Turns the two halves of each head vector, the last dimension of x, by angles: (..., K) cosines, (-sines, sines)."""
    half = x.shape[-1] // 2
    return (x * cos).addcmul_(x.roll(half, dims=-1), sin, value=-1.0 if back else 1.0)


class BlockAttention(torch.autograd.Function):
    """softmax(q k^T / sqrt(K) + hidden) v, with q and k turned by their positions."""

    @staticmethod
    def forward(ctx: Any, qkv: Tensor, cos: Tensor | None, sin: Tensor | None, parts: list[QueryBlock]) -> Tensor:
        """Args: qkv (B, L, 3, H, K); cos, sin (B, L, 1, 1, K), or None without positions. Returns: (B, L, H * K)."""
        b, length, _, heads, size = qkv.shape
        qk = qkv[:, :, :2]
        qk = qk if cos is None or sin is None else turn(qk, cos, sin)
        q, k = qk.permute(2, 0, 3, 1, 4).reshape(2, b * heads, length, size)
        v = qkv[:, :, 2].transpose(1, 2).reshape(b * heads, length, size)
        attended = torch.empty_like(v)
        weights = []
        for queries, keys, hidden in parts:
            scores = hidden.repeat(1, heads, 1, 1).flatten(0, 1)  # (B * H, C, M)
            scores.baddbmm_(q[:, queries], k[:, keys].transpose(1, 2), alpha=size**-0.5)
            weights.append(torch.softmax(scores, dim=-1, out=scores))
            attended[:, queries] = scores @ v[:, keys]
        ctx.save_for_backward(q, k, v, cos, sin, *weights)
        ctx.parts, ctx.shape = parts, qkv.shape
        return attended.view(b, heads, length, size).transpose(1, 2).flatten(2)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None, None]:
        """Gradient of qkv."""
        q, k, v, cos, sin, *weights = ctx.saved_tensors
        b, length, _, heads, size = ctx.shape
        grad = grad_outputs[0].reshape(b, length, heads, size).transpose(1, 2).reshape(b * heads, length, size)
        d_q, d_k, d_v = q.new_zeros(3, b * heads, length, size)
        for (queries, keys, _), weight in zip(ctx.parts, weights, strict=True):
            d_v[:, keys] += weight.transpose(1, 2) @ grad[:, queries]
            d_weight = grad[:, queries] @ v[:, keys].transpose(1, 2)  # (B * H, C, M)
            d_scores = torch.ops.aten._softmax_backward_data(d_weight, weight, -1, weight.dtype)
            d_q[:, queries] = d_scores @ k[:, keys]
            d_k[:, keys] += d_scores.transpose(1, 2) @ q[:, queries]
        d_qkv = torch.empty(ctx.shape, dtype=q.dtype)
        d_qk = torch.stack([d_q, d_k]).mul_(size**-0.5).view(2, b, heads, length, size).permute(1, 3, 0, 2, 4)
        d_qkv[:, :, :2] = d_qk if cos is None else turn(d_qk, cos, sin, back=True)
        d_qkv[:, :, 2] = d_v.view(b, heads, length, size).transpose(1, 2)
        return d_qkv, None, None, None
