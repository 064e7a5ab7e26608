"""The decoder: pre-norm blocks with causal attention inside segments and GEGLU (Gato, section 2.2, appendix C.1).

B sequences (lanes while acting), L slots, D width, H heads, K head size, F feed-forward width, M slots of the cache
"""

import torch
import torch.nn.functional as F
from timm.layers import DropPath
from torch import Tensor, nn

from gato_lightning.cache import KeyValueCache
from gato_lightning.config import GatoConfig


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


def rotary_angles(position: Tensor, head_size: int) -> tuple[Tensor, Tensor]:
    """Cosine and sine of the rotary angles, each (B, 1, L, K/2) float32 (Su et al. 2021, RoFormer)."""
    frequency = 10000.0 ** (-torch.arange(0, head_size, 2, device=position.device) / head_size)
    angle = position[:, None, :, None] * frequency  # (B, 1, L, K/2)
    return angle.cos(), angle.sin()


def rotate(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Turns the two halves of each head vector, (B, H, L, K), by its position's angles."""
    cos, sin = (part.to(x.dtype) for part in angles)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Scaled dot-product attention of (B, H, L, K) queries to (B, H, M, K) keys and values; mask True = attends.

    On a CPU, PyTorch's fused kernel runs bf16 forward and backward at fp32's speed; matrix products have bf16 instructions, and
    the plain formula is more than twice as fast.
    """
    if q.device.type != "cpu" or q.dtype != torch.bfloat16:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    with torch.autocast("cpu", enabled=False):
        hidden = torch.zeros((), dtype=q.dtype).masked_fill(~mask, float("-inf"))  # (B, 1, L, M)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2) + hidden  # (B, H, L, M)
        return scores.softmax(dim=-1) @ v


class Attention(nn.Module):
    """Causal self-attention; with a cache, the new slots' keys and values are added to it and all of it is attended to."""

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.heads, self.head_size = config.heads, config.head_size
        self.qkv = nn.Linear(config.width, 3 * config.heads * config.head_size, bias=False)
        self.out = nn.Linear(config.heads * config.head_size, config.width, bias=False)

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        angles: tuple[Tensor, Tensor] | None,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> Tensor:
        b, length, _ = x.shape
        qkv = self.qkv(x).view(b, length, 3, self.heads, self.head_size)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each (B, H, L, K)
        if angles is not None:
            q, k = rotate(q, angles), rotate(k, angles)
        if cache is not None:
            k, v = cache.update(layer, k, v)  # (B, H, M, K)
        attended = attend(q, k, v, mask)
        return self.out(attended.transpose(1, 2).flatten(2))  # (B, L, D)


class GEGLU(nn.Module):
    """Feed-forward layer: width D to F, one half gates the other, back to D (Shazeer 2020)."""

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.up = nn.Linear(config.width, config.feedforward, bias=False)
        self.down = nn.Linear(config.feedforward // 2, config.width, bias=False)

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

    def forward(
        self,
        x: Tensor,
        mask: Tensor,
        angles: tuple[Tensor, Tensor] | None,
        cache: KeyValueCache | None = None,
        layer: int = 0,
    ) -> Tensor:
        x = x + self.drop(self.attention(self.attention_norm(x), mask, angles, cache, layer))
        return x + self.drop(self.feedforward(self.feedforward_norm(x)))


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
        self.learned = nn.Embedding(config.context_length, config.width) if config.positions == "learned" else None
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                # Each block adds to the stream twice; smaller last layers keep its variance in depth (Radford et al. 2019).
                scale = (2.0 * config.depth) ** -0.5 if name.endswith(("out.weight", "down.weight")) else 1.0
                nn.init.normal_(weight, std=scale * config.width**-0.5 if "learned" not in name else 0.02)

    def forward(self, x: Tensor, position: Tensor, mask: Tensor, cache: KeyValueCache | None = None) -> Tensor:
        """Runs the stack.

        Args:
            x: (B, L, D) embedded slots.
            position: (B, L) int64 index of each slot inside its segment.
            mask: (B, 1, L, L), or (B, 1, L, M) with a cache; bool, True = attends.
            cache: keys and values of earlier slots, to which these are added.

        Returns:
            (B, L, D).
        """
        if self.learned is not None:
            x = x + self.learned(position)
        angles = rotary_angles(position, self.head_size) if self.rotary else None
        for layer, block in enumerate(self.blocks):
            x = block(x, mask, angles, cache, layer)
        return self.norm(x)
