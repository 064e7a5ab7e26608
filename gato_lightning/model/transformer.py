"""The decoder: pre-norm blocks with causal attention inside segments and GEGLU (Gato, section 2.2, appendix C.1).

B sequences (while acting: lanes that grow), L slots, N of them whose states are asked for, D width, H heads, K head size,
F feed-forward width, M slots of the cache
"""

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from gato_lightning.model.block_attention import BlockAttention, QueryBlock, query_blocks, turn
from gato_lightning.model.cache import KeyValueCache, Queries
from gato_lightning.model.config import GatoConfig
from gato_lightning.model.linear import Linear
from gato_lightning.model.precision import compute_dtype


def segment_mask(segment: Tensor) -> Tensor:
    """Who sees whom in packed sequences: slots of the same segment, not later ones.

    Args:
        segment: (B, L) int64, 0 = empty slot; empty slots see each other, so that no row is without keys.

    Returns:
        (B, 1, L, L) bool, True = attends.
    """
    length = segment.shape[1]
    causal = torch.ones(length, length, dtype=torch.bool, device=segment.device).tril()
    return ((segment[:, :, None] == segment[:, None, :]) & causal)[:, None]


def rotary_angles(position: Tensor, head_size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines, and minus sines and sines, of the rotary angles, each (B, L, 1, 1, K) (Su et al. 2021, RoFormer)."""
    frequency = 10000.0 ** (-torch.arange(0, head_size, 2, device=position.device) / head_size)
    angle = position[:, :, None, None, None] * frequency  # (B, L, 1, 1, K/2)
    cos, sin = angle.cos(), angle.sin()
    return torch.cat([cos, cos], dim=-1).to(dtype), torch.cat([-sin, sin], dim=-1).to(dtype)


class Attention(nn.Module):
    """Causal self-attention."""

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.qkv = Linear(config.width, 3 * config.heads * config.head_size)
        self.out = Linear(config.heads * config.head_size, config.width)

    def forward(self, x: Tensor, mask: Tensor | list[QueryBlock], angles: tuple[Tensor, Tensor] | None) -> Tensor:
        qkv = self._project(x)
        if isinstance(mask, list):
            return self.out(BlockAttention.apply(qkv, *(angles or (None, None)), mask))  # (B, L, D)
        q, k, v = _heads(qkv, angles)
        return self._join(F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def extend(
        self, x: Tensor, angles: tuple[Tensor, Tensor] | None, cache: KeyValueCache, layer: int, queries: Queries
    ) -> Tensor:
        """(B, N, D) of some of the new slots; the keys and values of all of them are added to the cache."""
        q, k, v = _heads(self._project(x), angles)
        k, v = cache.update(layer, k, v)  # (B, H, M, K)
        q = q.transpose(1, 2)[queries.slots].transpose(1, 2)
        with torch.autocast(x.device.type, enabled=False):  # in the cache's dtype
            attended = F.scaled_dot_product_attention(q.to(k.dtype), k, v, attn_mask=queries.hidden)
        return self._join(attended.to(q.dtype))

    def _project(self, x: Tensor) -> Tensor:
        return self.qkv(x).view(*x.shape[:2], 3, self.heads, self.head_size)

    def _join(self, attended: Tensor) -> Tensor:
        return self.out(attended.transpose(1, 2).flatten(2))  # (B, H, L, K) to (B, L, D)


def _heads(qkv: Tensor, angles: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values, each (B, H, L, K), the first two turned by their positions."""
    qk = qkv[:, :, :2] if angles is None else turn(qkv[:, :, :2], *angles)
    q, k = qk.permute(2, 0, 3, 1, 4)
    return q, k, qkv[:, :, 2].transpose(1, 2)


class GEGLU(nn.Module):
    """Feed-forward layer: width D to F, one half gates the other, back to D (Shazeer 2020)."""

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.up = Linear(config.width, config.feedforward)
        self.down = Linear(config.feedforward // 2, config.width)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.up(x).chunk(2, dim=-1)  # each (B, L, F/2)
        return self.down(value * F.gelu(gate))


class Block(nn.Module):
    """Attention and feed-forward, each normalised before and added to the stream, each dropped whole by stochastic depth."""

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(config.width), Attention(config)
        self.feedforward_norm, self.feedforward = nn.LayerNorm(config.width), GEGLU(config)
        self.drop = nn.Sequential(nn.Dropout(config.dropout), DropPath(config.drop_path))

    def forward(self, x: Tensor, mask: Tensor | list[QueryBlock], angles: tuple[Tensor, Tensor] | None) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x), mask, angles))
        return x + self.drop(self.feedforward(self.feedforward_norm(x)))

    def extend(
        self, x: Tensor, angles: tuple[Tensor, Tensor] | None, cache: KeyValueCache, layer: int, queries: Queries
    ) -> Tensor:
        """(B, N, D) of some of the new slots, see `Attention.extend`; nothing is dropped."""
        x = x[queries.slots] + self.attention.extend(self.attention_norm(x), angles, cache, layer, queries)
        return x + self.feedforward(self.feedforward_norm(x))


class Transformer(nn.Module):
    """A stack of blocks and a last norm.

    Args:
        config: the model's settings.
    """

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = nn.LayerNorm(config.width)
        self.head_size = config.head_size
        self.rotary = config.positions == "rotary"
        self.recompute, self.compiled = config.recompute, config.compile
        if config.compile:
            # Block by block: their shapes do not depend on the number of patches, and equal blocks share their kernels.
            for block in self.blocks:
                block.compile()
        self.learned = nn.Embedding(config.context_length, config.width) if config.positions == "learned" else None
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # Each block adds to the stream twice; smaller last layers keep its variance in depth (Radford et al. 2019).
                scale = (2.0 * config.depth) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(weight, std=scale * config.width**-0.5 if "learned" not in name else 0.02)

    def forward(self, x: Tensor, position: Tensor, mask: Tensor) -> Tensor:
        """Runs the stack.

        Args:
            x: (B, L, D) embedded slots.
            position: (B, L) int64 index of each slot inside its segment.
            mask: (B, 1, L, L) bool, True = attends.

        Returns:
            (B, L, D).
        """
        x, angles = self._place(x, position)
        seen = query_blocks(mask, compute_dtype(x)) if x.device.type == "cpu" and not self.compiled else mask
        for block in self.blocks:
            if self.recompute and torch.is_grad_enabled():
                x = checkpoint(block, x, seen, angles, use_reentrant=False)
            else:
                x = block(x, seen, angles)
        return self.norm(x)

    def extend(self, x: Tensor, position: Tensor, cache: KeyValueCache, every: Queries, last: Queries) -> Tensor:
        """(B, D) states of each growing lane's last new slot; of the other slots the last block needs keys and values alone.

        Args:
            x: (B, L, D) embedded new slots.
            position: (B, L) int64 index of each slot in its lane.
            cache: keys and values of earlier slots, to which these are added.
            every: all new slots.
            last: each lane's last one.
        """
        x, angles = self._place(x, position)
        for layer, block in enumerate(self.blocks):  # a chunk has another shape each time: nothing to compile
            assert isinstance(block, Block)
            x = block.extend(x, angles, cache, layer, last if layer == len(self.blocks) - 1 else every)
        return self.norm(x)[:, 0]

    def _place(self, x: Tensor, position: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor] | None]:
        """Tells the slots where they stand: learned positions are added, and rotary ones are angles."""
        if self.learned is not None:
            x = x + self.learned(position)
        return x, rotary_angles(position, self.head_size, compute_dtype(x)) if self.rotary else None
