"""Keys and values of slots already seen, so that acting computes each slot once.

B lanes, H heads, L new slots, M slots of the longest lane, K head size
"""

import torch
from torch import Tensor

from gato_lightning.config import GatoConfig


class KeyValueCache:
    """A static cache of B lanes, each as long as it likes up to the context length.

    Args:
        config: the model's settings.
        lanes: B.
        device: where the cache lies.
        dtype: of keys and values.
    """

    def __init__(self, config: GatoConfig, lanes: int, device: torch.device, dtype: torch.dtype) -> None:
        # One slot more than a context: where the empty slots of a chunk are written, which no query sees.
        shape = (config.depth, lanes, config.heads, config.context_length + 1, config.head_size)
        self._keys = torch.zeros(shape, device=device, dtype=dtype)
        self._values = torch.zeros(shape, device=device, dtype=dtype)
        self._lane = torch.arange(lanes, device=device)[:, None]
        self._spare = config.context_length
        self._slots = torch.empty(0)
        self._seen = 0

    def begin(self, position: Tensor, filled: Tensor, longest: int) -> Tensor:
        """Says where the next chunk goes.

        Args:
            position: (B, L) int64 position of each new slot in its lane.
            filled: (B, L) bool, False = empty slot.
            longest: slots of the longest lane with the chunk in it.

        Returns:
            (B, 1, L, M) bool mask, True = attends.
        """
        self._slots = torch.where(filled, position, self._spare)
        self._seen = longest
        keys = torch.arange(longest, device=position.device)
        return (keys <= position[:, :, None])[:, None]

    def update(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Adds a layer's new keys and values, each (B, H, L, K); returns all of them, each (B, H, M, K)."""
        self._keys[layer][self._lane, :, self._slots] = keys.transpose(1, 2).to(self._keys.dtype)
        self._values[layer][self._lane, :, self._slots] = values.transpose(1, 2).to(self._values.dtype)
        seen = slice(self._seen)
        return self._keys[layer, :, :, seen].to(keys.dtype), self._values[layer, :, :, seen].to(values.dtype)

    def take(self, lanes: Tensor) -> None:
        """Keeps the given lanes only, (N,) int64, in their order; a lane may be taken several times."""
        seen = slice(self._seen)
        keys, values = self._keys[:, lanes, :, seen], self._values[:, lanes, :, seen]
        if len(lanes) != len(self._lane):
            shape = (self._keys.shape[0], len(lanes), *self._keys.shape[2:])
            self._keys, self._values = self._keys.new_zeros(shape), self._values.new_zeros(shape)
            self._lane = torch.arange(len(lanes), device=lanes.device)[:, None]
        self._keys[:, :, :, seen], self._values[:, :, :, seen] = keys, values
