"""Decoding with a key-value cache: the one engine under acting and writing.

B lanes, G of them that grow, L new slots, D width, V vocabulary
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from gato_lightning.model.cache import KeyValueCache
from gato_lightning.model.gato import Gato
from gato_lightning.model.precision import compute_dtype
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.sequences.sequence import Slots, collate


class Lanes:
    """B token streams that grow side by side, each at its own length.

    Args:
        model: the model, in evaluation mode.
        count: B.
    """

    def __init__(self, model: Gato, count: int) -> None:
        self._model = model
        self._device = model.embedding.table.weight.device
        dtype = compute_dtype(model.embedding.table.weight)
        self._cache = KeyValueCache(model.config, count, self._device, dtype)
        self.length = np.zeros(count, np.int64)

    def extend(self, chunks: Sequence[Sequence[Slots]]) -> Tensor:
        """Appends each lane's slots, in one pass.

        Args:
            chunks: the new slots of each lane, not of none; a lane without any stays as it is, and costs nothing.

        Returns:
            (B, D) state of each lane's last new slot, which predicts its next token; of no meaning where there is none.
        """
        counts = np.array([sum(len(part.ids) for part in chunk) for chunk in chunks])
        growing = counts.nonzero()[0]
        batch = collate([chunks[lane] for lane in growing], int(counts.max()), self._model.config.vocabulary)
        return self._extend(batch, growing, counts[growing])

    def append(self, ids: Tensor, kinds: Tensor | int, growing: Tensor | None = None) -> Tensor:
        """Appends one token to each lane.

        Args:
            ids: (B,) int64.
            kinds: (B,) what the tokens are, or one `Kind` for all.
            growing: (B,) bool, some of them True = the lane takes its token; the others stay as they are. None: all do.

        Returns:
            (B, D) states of these tokens; of no meaning in a lane that took none.
        """
        lanes = torch.arange(len(ids)) if growing is None else growing.cpu().nonzero()[:, 0]
        column = torch.zeros(len(lanes), 1, dtype=torch.int64)
        none = torch.empty(0, dtype=torch.int64)
        batch = TokenBatch(
            ids=ids.cpu()[lanes, None],
            kinds=column + (kinds[lanes, None] if isinstance(kinds, Tensor) else int(kinds)),
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
        return self._extend(batch, lanes.numpy(), np.ones(len(lanes), np.int64))

    def take(self, lanes: Tensor) -> None:
        """Goes on with the given lanes only, (N,) int64, in their order; a lane may be taken several times."""
        self._cache.take(lanes.to(self._device))
        self.length = self.length[lanes.cpu().numpy()]

    def _extend(self, batch: TokenBatch, lanes: np.ndarray, counts: np.ndarray) -> Tensor:
        """Passes the model only the lanes that grow: (G, L) slots, of which `counts` (G,) are filled."""
        context = self._model.config.context_length
        assert (self.length[lanes] + counts).max() <= context, "whoever extends a lane makes room for it"
        position = self.length[lanes, None] + np.arange(batch.ids.shape[1])
        # Empty slots behind a long lane would lie outside the context, where there is no position.
        batch.position = torch.from_numpy(np.minimum(position, context - 1))
        states = self._model.extend(batch.to(self._device), self._cache, lanes, self.length[lanes], counts)  # (G, D)
        self.length[lanes] += counts
        if len(lanes) == len(self.length):
            return states
        everywhere = states.new_zeros(len(self.length), states.shape[1])
        everywhere[torch.from_numpy(lanes).to(self._device)] = states
        return everywhere


def logits_among(model: Gato, states: Tensor, first: int, count: int) -> Tensor:
    """(B, count) float32 logits, on the CPU, of the `count` ids from `first` on; only their output rows are computed.

    Args:
        model: whose output rows are used.
        states: (B, D).
        first: the first id.
        count: how many ids.
    """
    rows = model.embedding.table.weight[first : first + count]
    return torch.nn.functional.linear(states, rows).float().cpu()


def choose(model: Gato, states: Tensor, first: int, count: int, temperature: float, uniform: Tensor) -> Tensor:
    """Draws the next token of each lane among `count` ids from `first` on.

    Args:
        model: whose output rows are used.
        states: (B, D).
        first: the first id.
        count: how many ids.
        temperature: of the softmax; 0 takes the likeliest.
        uniform: (B,) numbers in [0, 1), on the CPU: where in the distribution each lane's token lies. So a lane's draws are its
            own, whatever lanes stand beside it.

    Returns:
        (B,) int64 ids, on the CPU.
    """
    logits = logits_among(model, states, first, count)
    if temperature == 0:
        return first + logits.argmax(dim=-1)
    shares = (logits / temperature).softmax(dim=-1).double().cumsum(dim=-1)
    place = torch.searchsorted(shares, uniform.double()[:, None] * shares[:, -1:], right=True)[:, 0]
    return first + place.clamp(max=count - 1)
