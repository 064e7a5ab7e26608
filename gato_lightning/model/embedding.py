"""Tokens as vectors: one table for ids, the patch encoder, and where a token stands (Gato, section 2.2, appendix C).

B sequences, L slots, P patch slots, D width
"""

import math

import torch
from torch import Tensor, nn

from gato_lightning.model.config import GatoConfig
from gato_lightning.model.patch_encoder import PatchEncoder
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.tokens.patches import NUM_POSITIONS
from gato_lightning.tokens.vocabulary import NUM_BINS, NUM_LOCAL, Kind

ACTION_LOCAL = NUM_LOCAL  # the row that all action tokens share
NO_LOCAL = NUM_LOCAL + 1  # a row of zeros, for slots without local position
INIT_STD = 0.02


def patch_positions(intervals: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    """Row and column index of each patch in the position tables (Gato, appendix C.3).

    Args:
        intervals: (P, 4) int64: row low, row high, column low, column high, in [0, 128].
        training: draw uniformly from each interval, both ends included; otherwise take its rounded mean.

    Returns:
        Two (P,) int64 tensors in [0, 128).
    """
    low, high = intervals[:, 0::2], intervals[:, 1::2]  # (P, 2)
    if training:
        index = low + (torch.rand(low.shape, device=low.device) * (high - low + 1)).long()
    else:
        index = ((low + high) / 2).round().long()
    rows, columns = index.clamp(max=NUM_POSITIONS - 1).unbind(1)
    return rows, columns


def smooth_table(rows: int, width: int, finest: float) -> Tensor:
    """First vectors of a table whose rows are an ordered range, near ones alike: random Fourier features, (rows, D).

    The order is then known from the start instead of being learnt from each row's own examples, which a short training has too
    few of.

    Args:
        rows: of the table, at even distances over [-1, 1].
        width: D.
        finest: highest angular frequency; the lowest is 1, and they are drawn log-uniformly.
    """
    place = torch.linspace(-1.0, 1.0, rows)[:, None]
    frequency = torch.exp(torch.empty(width).uniform_(0.0, math.log(finest)))
    phase = torch.empty(width).uniform_(0.0, 2.0 * torch.pi)
    return torch.cos(place * frequency + phase) * (INIT_STD * 2.0**0.5)


class TokenEmbedding(nn.Module):
    """Embeds a batch; `table` is shared with the output layer.

    Args:
        config: the model's settings.
    """

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        vocabulary = config.vocabulary
        # Rows are small, for the sake of the logits; in the stream they must stand beside what the blocks add to it.
        self.scale = config.width**0.5
        self.table = nn.Embedding(vocabulary.size, config.width)
        self.patch_encoder = PatchEncoder(config.width, config.patch_channels, config.patch_stride)
        self.patch_row = nn.Embedding(NUM_POSITIONS, config.width)
        self.patch_column = nn.Embedding(NUM_POSITIONS, config.width)
        self.local = nn.Embedding(NUM_LOCAL + 2, config.width, padding_idx=NO_LOCAL)
        for table in (self.table, self.patch_row, self.patch_column, self.local):
            nn.init.normal_(table.weight, std=INIT_STD)
        with torch.no_grad():
            self.local.weight[NO_LOCAL] = 0.0
            if config.smooth_tables:
                bins = slice(vocabulary.first_bin, vocabulary.first_bin + NUM_BINS)
                self.table.weight[bins] = smooth_table(NUM_BINS, config.width, finest=148.0)
                self.patch_row.weight.copy_(smooth_table(NUM_POSITIONS, config.width, finest=20.0))
                self.patch_column.weight.copy_(smooth_table(NUM_POSITIONS, config.width, finest=20.0))
        # Which row of `local` a kind takes: its own index inside the timestep (-1), the actions' shared one, or none.
        row = torch.full((len(Kind),), -1)
        row[[Kind.ACTION_TEXT, Kind.ACTION_DISCRETE, Kind.ACTION_CONTINUOUS]] = ACTION_LOCAL
        row[[Kind.SEPARATOR, Kind.PADDING]] = NO_LOCAL
        if not config.local_position_on_patches:
            row[Kind.PATCH] = NO_LOCAL
        self.local_row: Tensor
        self.register_buffer("local_row", row, persistent=False)
        self.local_position_on_patches = config.local_position_on_patches

    def forward(self, batch: TokenBatch) -> Tensor:
        """(B, L, D) vectors of a batch."""
        row = self.local_row[batch.kinds]
        tokens = (self.table(batch.ids) + self.local(torch.where(row < 0, batch.local, row))) * self.scale  # (B, L, D)
        if len(batch.patch_slots) == 0:
            return tokens + self._no_patches() if self.training else tokens
        rows, columns = patch_positions(batch.patch_intervals, self.training)
        positions = self.patch_row(rows) + self.patch_column(columns)  # (P, D)
        flat = tokens.flatten(0, 1)  # (B * L, D)
        if self.local_position_on_patches:
            positions = positions + self.local(batch.local.flatten()[batch.patch_slots])
        # Each distinct patch is encoded once: the encoder sees nothing but the patch.
        patches = self.patch_encoder(batch.patches)[batch.patch_index] + positions * self.scale
        return flat.index_copy(0, batch.patch_slots, patches.to(flat.dtype)).view_as(tokens)

    def _no_patches(self) -> Tensor:
        """Zero, from every parameter that only patches use: data-parallel training wants a gradient for each in every step."""
        parts = (self.patch_encoder, self.patch_row, self.patch_column)
        return torch.stack([parameter.sum() for part in parts for parameter in part.parameters()]).sum() * 0.0
