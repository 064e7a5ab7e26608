"""The loss on all held-out text, against a model that knows only how frequent each token is."""

from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import torch
from lightning import LightningModule, Trainer

from callbacks.held_out_text import HeldOutTextCallback
from gato_lightning.loss import token_losses
from gato_lightning.segments import Segments
from gato_lightning.sequence import collate, gather
from gato_lightning.store import EpisodeStore
from gato_lightning.tasks import GenerationTask


class TextLoss(HeldOutTextCallback):
    """Logs `metrics/<task>/nats` and how far that is below the unigram model, over every held-out token once.

    The validation loss is taken over a few sequences of all tasks, which is too few to compare with a baseline.

    Args:
        every_n_steps: optimiser steps between two evaluations; 0: only at the end.
        batch_size: sequences at once.

    Attributes:
        results: the latest metrics of every task.
    """

    kinds: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, every_n_steps: int = 0, batch_size: int = 16) -> None:
        super().__init__(every_n_steps, seed=0)
        self.batch_size = batch_size
        self.results: dict[str, dict[str, float]] = {}

    def evaluate(self, trainer: Trainer, module: LightningModule, name: str, task: GenerationTask, at_end: bool) -> None:
        """Computes the loss of one task; the ranks share its texts out."""
        data: Any = trainer.datamodule.tasks[name].datamodule  # type: ignore[attr-defined]
        model: Any = module.model
        config = model.config
        sums = torch.zeros(2, dtype=torch.float64)
        store = data.stores["val"]
        sequences = list(_sequences(store, config.context_length, trainer.global_rank, trainer.world_size))
        for first in range(0, len(sequences), self.batch_size):
            chunk = sequences[first : first + self.batch_size]
            parts = [[gather(store, segments, task=0, first_segment=1, prompt_loss=False)] for segments in chunk]
            batch = collate(parts, config.context_length, config.vocabulary).to(module.device)
            losses = token_losses(model, batch)
            sums += torch.tensor([losses.sum().item(), len(losses)], dtype=torch.float64)
        total, count = trainer.strategy.reduce(sums.to(module.device), reduce_op="sum").tolist()
        nats, unigram = total / count, data.unigram_nats()
        self.results[name] = {"nats": nats, "unigram_nats": unigram, "below_unigram": unigram - nats, "tokens": count}
        for logger in trainer.loggers:
            metrics = {f"metrics/{name}/{key}": value for key, value in self.results[name].items()}
            logger.log_metrics(metrics, trainer.global_step)


def _sequences(store: EpisodeStore, context_length: int, rank: int, ranks: int) -> Iterator[Segments]:
    """Every `ranks`-th text of a store, from the `rank`-th on, as many side by side as a sequence holds."""
    lengths = np.diff(store.first_slot)
    waiting: list[int] = []
    for text in range(rank, store.num_timesteps, ranks):
        if waiting and lengths[[*waiting, text]].sum() > context_length:
            yield _segments(waiting)
            waiting = []
        waiting.append(text)
    if waiting:
        yield _segments(waiting)


def _segments(texts: list[int]) -> Segments:
    none, start = np.zeros(len(texts), np.int64), np.array(texts)
    return Segments(none, none, start, start + 1)
