"""Gato: embedding, Transformer, and an output layer that shares the embedding's table (Gato, section 2.2).

B sequences, L slots, N predicted slots, D width, V vocabulary
"""

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from gato_lightning.model.cache import KeyValueCache
from gato_lightning.model.config import GatoConfig
from gato_lightning.model.embedding import TokenEmbedding
from gato_lightning.model.transformer import Transformer, segment_mask
from gato_lightning.sequences.batch import TokenBatch


class Gato(nn.Module):
    """The model. It knows tokens, not tasks.

    Args:
        config: its settings.
    """

    def __init__(self, config: GatoConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = TokenEmbedding(config)
        self.transformer = Transformer(config)

    def forward(self, batch: TokenBatch) -> Tensor:
        """(B, L, D) states of packed sequences; the state of a slot predicts the slot after it."""
        return self.transformer(self.embedding(batch), batch.position, segment_mask(batch.segment))

    def extend(
        self, batch: TokenBatch, cache: KeyValueCache, lanes: np.ndarray, length: np.ndarray, counts: np.ndarray
    ) -> Tensor:
        """(G, D) states of each growing lane's last new slot, one lane a row, behind those in the cache.

        Args:
            batch: the new slots; `position` is the position in the lane.
            cache: what the lanes hold already; the new slots are added.
            lanes: (G,) int64 which lanes grow, in order.
            length: (G,) int64 slots of each of them so far.
            counts: (G,) int64 new slots of each of them, at least one.
        """
        x = self.embedding(batch)  # (G, L, D)
        every, last = cache.begin(lanes, length, counts, x.shape[1])
        return self.transformer.extend(x, batch.position, cache, every, last)

    def logits(self, states: Tensor) -> Tensor:
        """(..., V) logits of (..., D) states."""
        return F.linear(states, self.embedding.table.weight)
