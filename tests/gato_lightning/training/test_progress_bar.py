"""The progress bar counts optimiser steps of the whole run."""

import io
import re

import pytest
from lightning.pytorch.callbacks import RichProgressBar, Timer, TQDMProgressBar
from lightning.pytorch.demos.boring_classes import BoringModel
from rich.console import Console

from gato_lightning.model.checkpoint import MARK
from gato_lightning.training.progress_bar import StepProgressBar, progress_of
from gato_lightning.training.trainer import GatoTrainer


class Model(BoringModel):
    def on_save_checkpoint(self, checkpoint):
        checkpoint[MARK] = {}

    def on_train_end(self):
        bar = self.trainer.progress_bar_callback
        with progress_of(self.trainer, "Playing", 4) as advance:
            advance()
            console = Console(file=io.StringIO(), width=100)
            console.print(bar.progress.get_renderable())
        self.shown = console.file.getvalue()


def trainer(folder, max_steps: int, **settings) -> GatoTrainer:
    quiet = {"enable_model_summary": False, "accelerator": "cpu", "limit_val_batches": 0, "default_root_dir": folder}
    return GatoTrainer(max_steps=max_steps, max_epochs=-1, **quiet, **settings)


def test_it_says_steps_of_max_steps_also_after_a_restart(tmp_path):
    model = Model()
    run = trainer(tmp_path, 4, accumulate_grad_batches=3)
    run.fit(model)
    assert re.search(r"Training .*4/4 .*\n.*Playing .*1/4 ", model.shown)
    assert "v_num" not in model.shown
    assert "Epoch" not in model.shown
    again = trainer(tmp_path, 6, accumulate_grad_batches=3)
    again.fit(model, ckpt_path=run.checkpoint_callback.best_model_path)
    assert re.search(r"Training .*6/6 ", model.shown)


@pytest.mark.parametrize("bar", [RichProgressBar(), TQDMProgressBar()])
def test_the_users_own_bar_is_kept(tmp_path, bar):
    assert trainer(tmp_path, 1, callbacks=[bar]).progress_bar_callback is bar
    for settings in ({}, {"callbacks": [Timer()]}, {"callbacks": Timer()}):
        assert isinstance(trainer(tmp_path, 1, **settings).progress_bar_callback, StepProgressBar)
    assert trainer(tmp_path, 1, enable_progress_bar=False).progress_bar_callback is None
