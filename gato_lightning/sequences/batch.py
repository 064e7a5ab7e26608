"""The batch contract: the only thing the model sees from data.

B sequences, L slots, P patch slots in the batch, U distinct patches in it
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gato_lightning.tokens.patches import PATCH


@dataclass
class TokenBatch:
    """Training sequences, or the chunk of new tokens while acting.

    Args:
        ids: (B, L) int64 token ids; in patch and empty slots the padding id.
        kinds: (B, L) int64 `Kind` of each slot.
        local: (B, L) int64 index of the slot inside its timestep.
        position: (B, L) int64 index of the slot inside its segment.
        segment: (B, L) int64 which packed episode a slot belongs to, from 1; 0 = empty slot.
        task: (B, L) int64 index of the slot's task.
        targets: (N,) int64 flat index, b * L + l, of each slot that is predicted from the slots before it in its segment: the
            slots where the paper's m is 1. An index list, not a mask, so that selecting them on a GPU needs no wait.
        patch_slots: (P,) int64 flat index of each patch slot.
        patches: (U, 16, 16, 3) uint8 distinct patches.
        patch_index: (P,) int64 row of `patches` for each patch slot, sequence by sequence.
        patch_intervals: (P, 4) int64 row low, row high, column low, column high in [0, 128].
        num_timesteps: timesteps in the batch.
        num_prompted: segments that begin with a prompt; num_segments: all segments.
    """

    ids: Tensor
    kinds: Tensor
    local: Tensor
    position: Tensor
    segment: Tensor
    task: Tensor
    targets: Tensor
    patch_slots: Tensor
    patches: Tensor
    patch_index: Tensor
    patch_intervals: Tensor
    num_timesteps: int
    num_prompted: int
    num_segments: int

    @classmethod
    def of_tokens(cls, ids: Tensor, kinds: Tensor | int) -> "TokenBatch":
        """A batch of one action token a sequence, as acting appends them.

        Args:
            ids: (B,) int64.
            kinds: (B,) int64 what the tokens are, or one `Kind` for all.
        """
        column, none = torch.zeros(len(ids), 1, dtype=torch.int64), torch.empty(0, dtype=torch.int64)
        return cls(
            ids=ids[:, None],
            kinds=column + (kinds[:, None] if isinstance(kinds, Tensor) else int(kinds)),
            local=column,
            position=column,
            segment=column + 1,
            task=column,
            targets=none,
            patch_slots=none,
            patches=torch.empty(0, PATCH, PATCH, 3, dtype=torch.uint8),
            patch_index=none,
            patch_intervals=none.view(0, 4),
            num_timesteps=0,
            num_prompted=0,
            num_segments=0,
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> "TokenBatch":
        changed: dict[str, Any] = {name: change(value) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **changed)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "TokenBatch":
        """The same batch on another device. Lightning calls it to move a batch."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "TokenBatch":
        """The same batch in page-locked memory. The DataLoader calls it."""
        return self._map(lambda tensor: tensor.pin_memory())
