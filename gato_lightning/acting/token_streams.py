"""Token streams that grow on a key-value cache: the one engine under acting and writing.

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


class TokenStreams:
    """B streams of tokens that grow side by side, each in its lane and at its own length.

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
            chunks: the new slots of each lane; at least one lane has some. A lane without any stays as it is and costs nothing.

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
        batch = TokenBatch.of_tokens(ids.cpu()[lanes], kinds[lanes] if isinstance(kinds, Tensor) else kinds)
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
