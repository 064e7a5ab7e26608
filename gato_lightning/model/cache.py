"""Keys and values of slots already seen, so that acting computes each slot once.

B lanes, G of them that grow, H heads, L new slots, N of them whose states are asked for, M slots of the longest growing lane,
K head size
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gato_lightning.model.config import GatoConfig


class Queries(NamedTuple):
    """Which of the new slots attend, and to what.

    Args:
        slots: index that takes (G, N, ...) from (G, L, ...).
        hidden: (G or 1, 1, N, M) what is added to the scores: 0, or -inf = does not attend; None: all attend to everything.
    """

    slots: Any
    hidden: Tensor | None


class KeyValueCache:
    """A static cache of B lanes, each as long as it likes up to the context length.

    Args:
        config: the model's settings.
        lanes: B.
        device: where the cache lies.
        dtype: of the model's products. Keys and values have it, too, but on a CPU they are float32: its attention of one
            query is several times as slow in bf16.
    """

    def __init__(self, config: GatoConfig, lanes: int, device: torch.device, dtype: torch.dtype) -> None:
        dtype = torch.float32 if device.type == "cpu" else dtype
        # One slot more than a context: where the empty slots of a chunk are written, which no query sees.
        shape = (config.depth, lanes, config.heads, config.context_length + 1, config.head_size)
        self._keys = torch.zeros(shape, device=device, dtype=dtype)
        self._values = torch.zeros(shape, device=device, dtype=dtype)
        self._spare = config.context_length
        self._lanes: Any = ...
        self._place: Any = ...
        self._seen = self._longest = 0  # slots of the longest growing lane, of the longest lane ever

    def begin(self, lanes: np.ndarray, length: np.ndarray, counts: np.ndarray, width: int) -> tuple[Queries, Queries]:
        """Says where the next chunk goes.

        Args:
            lanes: (G,) int64 which lanes grow, in order.
            length: (G,) int64 slots of each of them so far.
            counts: (G,) int64 new slots of each of them, at least one.
            width: L, the largest count.

        Returns:
            All new slots, and each lane's last one.
        """
        self._seen = int((length + counts).max())
        self._longest = max(self._longest, self._seen)
        self._lanes = torch.from_numpy(lanes).to(self._keys.device)
        if len(lanes) == self._keys.shape[1]:
            self._lanes = slice(None)  # of all lanes nothing has to be copied
        if bool((length == length[0]).all() and (counts == width).all()):
            return self._begin_evenly(int(length[0]), width)
        return self._begin_unevenly(lanes, length, counts, width)

    def _begin_evenly(self, length: int, width: int) -> tuple[Queries, Queries]:
        """Lanes of one length, with as many new slots: slices, which cost less than indices; a last slot sees all."""
        self._place = (self._lanes, slice(None), slice(length, self._seen))
        hidden = self._hidden(np.arange(length, self._seen)[None]) if width > 1 else None
        return Queries(..., hidden), Queries((slice(None), slice(width - 1, None)), None)

    def _begin_unevenly(self, lanes: np.ndarray, length: np.ndarray, counts: np.ndarray, width: int) -> tuple[Queries, Queries]:
        """Lanes at different lengths, or with different numbers of new slots; the empty ones go to a place that nobody sees."""
        slot = np.arange(width)
        position = length[:, None] + slot  # (G, L)
        place = torch.from_numpy(np.where(slot < counts[:, None], position, self._spare))
        head = torch.arange(self._keys.shape[2])[:, None]
        where = (torch.from_numpy(lanes)[:, None, None], head, place[:, None])  # together (G, H, L)
        self._place = tuple(index.to(self._keys.device) for index in where)
        hidden = self._hidden(position)
        last = tuple(torch.from_numpy(i[:, None]).to(self._keys.device) for i in (np.arange(len(lanes)), counts - 1))
        return Queries(..., hidden), Queries(last, hidden[:, 0][last][:, None])

    def _hidden(self, position: np.ndarray) -> Tensor:
        """(G or 1, 1, L, M) what is added to the scores of queries at (G or 1, L) positions: -inf for later keys."""
        later = torch.from_numpy(np.arange(self._seen) > position[:, None, :, None]).to(self._keys.device)
        return torch.zeros(later.shape, device=later.device, dtype=self._keys.dtype).masked_fill_(later, -torch.inf)

    def update(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Adds a layer's new keys and values, each (G, H, L, K); returns all of the growing lanes', each (G, H, M, K)."""
        self._keys[layer][self._place] = keys.to(self._keys.dtype)
        self._values[layer][self._place] = values.to(self._values.dtype)
        seen = slice(self._seen)
        return self._keys[layer][self._lanes, :, seen], self._values[layer][self._lanes, :, seen]

    def take(self, lanes: Tensor) -> None:
        """Keeps the given lanes only, (N,) int64, in their order; a lane may be taken several times."""
        seen = slice(self._longest)
        keys, values = self._keys[:, lanes, :, seen], self._values[:, lanes, :, seen]
        if len(lanes) != self._keys.shape[1]:
            shape = (self._keys.shape[0], len(lanes), *self._keys.shape[2:])
            self._keys, self._values = self._keys.new_zeros(shape), self._values.new_zeros(shape)
        self._keys[:, :, :, seen], self._values[:, :, :, seen] = keys, values
