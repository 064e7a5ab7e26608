"""Decoding with a key-value cache: the one engine under acting and writing.

B lanes, L new slots, D width, V vocabulary
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gato_lightning.batch import TokenBatch
from gato_lightning.cache import KeyValueCache
from gato_lightning.model import Gato
from gato_lightning.sequence import Slots, collate
from gato_lightning.vocabulary import Kind


class Lanes:
    """B token streams that grow side by side, each at its own length.

    Args:
        model: the model, in evaluation mode.
        count: B.
    """

    def __init__(self, model: Gato, count: int) -> None:
        self._model = model
        self._device = model.embedding.table.weight.device
        dtype = torch.get_autocast_dtype(self._device.type) if torch.is_autocast_enabled(self._device.type) else None
        dtype = dtype or model.embedding.table.weight.dtype
        self._cache = KeyValueCache(model.config, count, self._device, dtype)
        self.length = np.zeros(count, np.int64)

    def extend(self, chunks: Sequence[Sequence[Slots]]) -> Tensor:
        """Appends each lane's slots, in one pass.

        Args:
            chunks: the new slots of each lane; at least one slot for every lane.

        Returns:
            (B, D) state of each lane's last slot, from which its next token is predicted.
        """
        counts = np.array([sum(len(part.ids) for part in chunk) for chunk in chunks])
        batch = collate(chunks, int(counts.max()), self._model.config.vocabulary)
        states = self._extend(batch, counts)  # (B, L, D)
        return states[torch.arange(len(counts)), torch.from_numpy(counts - 1)]

    def append(self, ids: Tensor, kind: Kind) -> Tensor:
        """Appends one token to each lane.

        Args:
            ids: (B,) int64.
            kind: what the tokens are.

        Returns:
            (B, D) states of these tokens.
        """
        column = torch.zeros(len(ids), 1, dtype=torch.int64)
        none = torch.empty(0, dtype=torch.int64)
        batch = TokenBatch(
            ids=ids[:, None].cpu(),
            kinds=column + int(kind),
            local=column,
            position=column,
            segment=column + 1,
            task=column,
            targets=none,
            patch_slots=none,
            patches=torch.empty(0, 16, 16, 3, dtype=torch.uint8),
            patch_index=none,
            patch_intervals=none.view(0, 4),
            num_timesteps=0,
            num_prompted=0,
            num_segments=0,
        )
        return self._extend(batch, np.ones(len(ids), np.int64))[:, 0]

    def _extend(self, batch: TokenBatch, counts: np.ndarray) -> Tensor:
        batch.position = torch.from_numpy(self.length[:, None] + np.arange(batch.ids.shape[1]))
        self.length += counts
        return self._model.extend(batch.to(self._device), self._cache, int(self.length.max()))


def choose(
    model: Gato, states: Tensor, first: int, count: int, temperature: float, generator: torch.Generator | None
) -> Tensor:
    """Draws the next token of each lane among `count` ids from `first` on.

    Args:
        model: whose output rows are used; only those of the ids that can be drawn are computed.
        states: (B, D).
        temperature: of the softmax; 0 takes the likeliest.
        generator: of the randomness, on the CPU.

    Returns:
        (B,) int64 ids, on the CPU.
    """
    rows = model.embedding.table.weight[first : first + count]
    logits = torch.nn.functional.linear(states, rows).float().cpu()  # (B, count)
    if temperature == 0:
        return first + logits.argmax(dim=-1)
    return first + torch.multinomial((logits / temperature).softmax(dim=-1), 1, generator=generator)[:, 0]
