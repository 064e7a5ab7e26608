"""What the callbacks that write text for held-out examples share: when, for which tasks, on which rank."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from gato_lightning.acting.generation import generate_text
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.common.ranks import all_gather, together
from gato_lightning.common.settings import NonNegativeInt, Seed, check_settings
from gato_lightning.sequences.tasks import GenerationTask

log = logging.getLogger(__name__)


class HeldOutTextCallback(Callback, ABC):
    """Every `every_n_steps` optimiser steps and at the end of the fit, writes text for held-out examples of every task.

    What fails is logged with the task's name and ends neither training nor the other tasks.

    Args:
        every_n_steps: optimiser steps between two evaluations, 0 or more; 0: only at the end.
        seed: of the sampled tokens, the same at every evaluation; training's own random state is left alone.
    """

    kinds: ClassVar[tuple[str, ...]]

    def __init__(self, every_n_steps: NonNegativeInt, seed: Seed) -> None:
        check_settings(locals(), HeldOutTextCallback)
        self.every_n_steps, self.seed = every_n_steps, seed
        self._tasks: dict[str, GenerationTask] = {}
        self._last_step = 0

    @abstractmethod
    def evaluate(self, trainer: Trainer, module: LightningModule, name: str, task: GenerationTask, at_end: bool) -> None:
        """Evaluates one task; every rank calls it.

        Whatever may fail on one rank stands in `together`, so that all ranks leave the task and go on to the next one.
        """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last_step = trainer.global_step
        for name, spec in getattr(trainer.datamodule, "tasks", {}).items():  # type: ignore[attr-defined]
            try:
                with together():
                    task = spec.datamodule.generation()
            except Exception:
                self._warn(trainer, name)
                continue
            if task is not None and task.kind in self.kinds:
                self._tasks[name] = task

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        step = trainer.global_step
        # With accumulated gradients several batches share a step; the last step is evaluated when training has ended.
        due = self.every_n_steps and step % self.every_n_steps == 0
        if due and step not in (self._last_step, trainer.max_steps):
            self._last_step = step
            self._evaluate_all(trainer, pl_module, at_end=False)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._evaluate_all(trainer, pl_module, at_end=True)

    def write(
        self,
        trainer: Trainer,
        module: LightningModule,
        name: str,
        observations: Sequence[Any],
        settings: DecodingSettings,
        openings: Sequence[str] | None = None,
    ) -> list[str]:
        """Has the model write one text per observation, each on one rank only; every rank gets all of them.

        Args:
            trainer: the trainer.
            module: the model, in evaluation mode.
            name: the task.
            observations: of the task's observation space.
            settings: how the texts are written.
            openings: how each text begins.
        """
        rank, ranks = trainer.global_rank, trainer.world_size
        mine = range(rank, len(observations), ranks)
        generator = torch.Generator().manual_seed(self.seed + rank)
        with together():
            texts = generate_text(
                module.model,  # type: ignore[arg-type]
                trainer.datamodule.tasks[name].datamodule.tokenizer,  # type: ignore[attr-defined]
                [observations[i] for i in mine],
                settings,
                generator,
                [openings[i] for i in mine] if openings else None,
            )
        written = [""] * len(observations)
        for first, part in enumerate(all_gather(texts)):
            written[first::ranks] = part
        return written

    def _evaluate_all(self, trainer: Trainer, module: LightningModule, at_end: bool) -> None:
        was_training = module.training
        module.eval()
        try:
            with torch.no_grad(), trainer.precision_plugin.forward_context():
                for name, task in self._tasks.items():
                    try:
                        self.evaluate(trainer, module, name, task, at_end)
                    except Exception:
                        self._warn(trainer, name)
        finally:
            module.train(was_training)

    def _warn(self, trainer: Trainer, name: str) -> None:
        what = type(self).__name__
        log.warning("%s of task %s failed at step %d", what, name, trainer.global_step, exc_info=True)


def evenly(count: int, most: int) -> list[int]:
    """At most `most` indices out of `count`, at even distances: neighbours in a data set are often alike."""
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()
