"""The progress bar of training: optimiser steps out of `max_steps`, and how long the rest will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import RichProgressBar


class StepProgressBar(RichProgressBar):
    """Counts optimiser steps, those before a restart among them; Lightning's counts batches of an epoch."""

    def __init__(self) -> None:
        super().__init__()  # without the settings of Lightning's bar, which the command line would offer

    @property
    def total_train_batches(self) -> int | float:
        return self.trainer.max_steps if self.trainer.max_steps > 0 else super().total_train_batches

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_epoch_start(trainer, pl_module)
        self._begin()

    def _initialize_train_progress_bar_id(self) -> None:
        super()._initialize_train_progress_bar_id()
        self._begin()

    def _begin(self) -> None:
        """Steps before a restart took none of this run's time."""
        if self.progress is not None and self.train_progress_bar_id is not None:
            self.progress.reset(self.train_progress_bar_id, completed=self.trainer.global_step)

    def _update(self, progress_bar_id: Any, current: int, visible: bool = True, hard: bool = False) -> None:
        if progress_bar_id == self.train_progress_bar_id:
            current = self.trainer.global_step
        super()._update(progress_bar_id, current, visible, hard)

    def _get_train_description(self, current_epoch: int) -> str:
        return "Training"

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """What was logged for the bar; not the version of the logger."""
        return {name: value for name, value in super().get_metrics(trainer, pl_module).items() if name != "v_num"}


@contextmanager
def progress_of(trainer: Trainer, description: str, total: int) -> Iterator[Callable[[], None]]:
    """A line below the bar of training for other long work; gives what is to be called after each part of it.

    Args:
        trainer: whose bar it is; nothing is shown if it has none, or another.
        description: what is done.
        total: parts.
    """
    bar = trainer.progress_bar_callback
    if not isinstance(bar, StepProgressBar) or bar.progress is None or bar.is_disabled:
        yield lambda: None
        return
    progress = bar.progress
    task = progress.add_task(description, total=total)

    def advance() -> None:
        progress.update(task, advance=1)
        bar.refresh()

    try:
        yield advance
    finally:
        progress.remove_task(task)
        bar.refresh()
