"""The loss on all held-out text, against models that know less of language."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import torch
from lightning import LightningModule, Trainer

from callbacks.scoring.held_out_text import HeldOutTextCallback
from callbacks.scoring.text_baselines import ngram_bits_per_byte, zlib_bits_per_byte
from gato_lightning.common.ranks import together
from gato_lightning.common.settings import NonNegativeInt, PositiveInt, check_settings
from gato_lightning.evaluation.report import Findings
from gato_lightning.sequences.segments import Segments
from gato_lightning.sequences.sequence import collate, read_slots
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.tasks import GenerationTask
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import NUM_TEXT
from gato_lightning.training.loss import token_losses


class TextLoss(HeldOutTextCallback):
    """Logs the loss over every held-out token once, as `metrics/<task>/<metric>`.

    `nats` and `perplexity` are per token, those that end texts among them; `bits_per_byte`, of UTF-8, can be compared between
    tokenizers. `unigram_nats` is the loss of a model that knows only how frequent each token is.

    The validation loss is taken over a few sequences of all tasks, which is too few to compare with a baseline.

    Args:
        every_n_steps: optimiser steps between two evaluations, 0 or more; 0: only at the end.
        batch_size: sequences at once, 1 or more.
        baselines: compare with `zlib` and a 5-gram model too: `zlib_bits_per_byte` and `ngram_bits_per_byte`, of the held-out
            texts with a line break between two; the 5-gram model is counted in memory, on all texts that are trained on.

    Attributes:
        results: the latest metrics of every task.
    """

    kinds: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(self, every_n_steps: NonNegativeInt = 0, batch_size: PositiveInt = 16, baselines: bool = False) -> None:
        check_settings(locals(), TextLoss)
        super().__init__(every_n_steps, seed=0)
        self.batch_size, self.baselines = batch_size, baselines
        self._constants: dict[str, dict[str, float]] = {}
        self.results: dict[str, dict[str, float]] = {}

    def findings(self) -> Findings:
        """The latest metrics of every task."""
        return Findings(text=self.results)

    def evaluate(self, trainer: Trainer, module: LightningModule, name: str, task: GenerationTask, at_end: bool) -> None:
        """Computes the loss of one task; the ranks share its texts out."""
        data: Any = trainer.datamodule.tasks[name].datamodule  # type: ignore[attr-defined]
        with together():
            sums = self._sums(module, data.stores["val"], trainer.global_rank, trainer.world_size)
        total, count = trainer.strategy.reduce(sums.to(module.device), reduce_op="sum").tolist()
        if name not in self._constants:
            self._constants[name] = self._measure(data)
        constants, nats = self._constants[name], total / count
        self.results[name] = {
            "nats": nats,
            "perplexity": math.exp(nats),
            "bits_per_byte": total / math.log(2) / constants["bytes"],
            "below_unigram": constants["unigram_nats"] - nats,
            "tokens": count,
            **constants,
        }
        for logger in trainer.loggers:
            metrics = {f"metrics/{name}/{key}": value for key, value in self.results[name].items()}
            logger.log_metrics(metrics, trainer.global_step)

    def _sums(self, module: LightningModule, store: EpisodeStore, rank: int, ranks: int) -> torch.Tensor:
        """(2,) float64: the sum of the losses of this rank's texts, and how many there are."""
        model: Any = module.model
        config = model.config
        sums = torch.zeros(2, dtype=torch.float64)
        sequences = list(_sequences(store, config.context_length, rank, ranks))
        for first in range(0, len(sequences), self.batch_size):
            chunk = sequences[first : first + self.batch_size]
            parts = [[read_slots(store, segments, task=0, first_segment=1, prompt_loss=False)] for segments in chunk]
            batch = collate(parts, config.context_length, config.vocabulary).to(module.device)
            losses = token_losses(model, batch)
            sums += torch.tensor([losses.sum().item(), len(losses)], dtype=torch.float64)
        return sums

    def _measure(self, data: Any) -> dict[str, float]:
        """What does not depend on the model."""
        held_out = _text(data.stores["val"], data.text_tokenizer)
        found = {"unigram_nats": data.unigram_nats(), "bytes": float(len(held_out) - data.stores["val"].num_timesteps + 1)}
        if self.baselines:
            train = _text(data.stores["train"], data.text_tokenizer)
            found["zlib_bits_per_byte"] = zlib_bits_per_byte(held_out)
            found["ngram_bits_per_byte"] = ngram_bits_per_byte(train, held_out)
        return found


def _text(store: EpisodeStore, tokenizer: TextTokenizer) -> bytes:
    """All texts of a store in UTF-8, a line break between two."""
    texts = (store.ids[first:last] for first, last in pairwise(store.first_slot))
    pieces = [tokenizer.decode(ids[(ids < NUM_TEXT) & (ids != tokenizer.end)].tolist()) for ids in texts]
    return "\n".join(pieces).encode()


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
