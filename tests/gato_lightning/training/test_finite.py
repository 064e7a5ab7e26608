"""A run whose numbers are no longer finite is stopped in one line, and nothing of it is saved or taken up."""

import lightning
import pytest
import torch

from gato_lightning.errors import UserError
from gato_lightning.model.checkpoint import load_checkpoint
from gato_lightning.training.finite import FiniteTraining
from tests.tiny_runs import data, module, trainer


class Breaks(lightning.Callback):
    """Makes a weight NaN behind a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.global_step == self.step:
            with torch.no_grad():
                next(pl_module.parameters()).fill_(torch.nan)


def test_it_stops_and_names_the_last_good_checkpoint(tmp_path, cache):
    saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=3, save_last=True)
    callbacks = [FiniteTraining(patience=2), Breaks(4), saving]
    run = trainer(tmp_path, *callbacks, enable_checkpointing=True, log_every_n_steps=5)
    with pytest.raises(UserError, match=rf"not finite at step 6; the last good checkpoint is {tmp_path}/last.ckpt; a lower"):
        run.fit(module(), data(cache))
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == 3


def test_it_stops_after_so_many_steps_where_nothing_is_saved(tmp_path, cache):
    run = trainer(tmp_path, FiniteTraining(patience=3), Breaks(4), log_every_n_steps=2)
    with pytest.raises(UserError, match="train/loss: not finite in 4 steps up to step 8; no checkpoint was written before"):
        run.fit(module(), data(cache))


def test_weights_that_are_not_finite_are_not_taken_up(tmp_path, cache):
    saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=4, save_last=True)
    trainer(tmp_path, Breaks(3), saving, enable_checkpointing=True, max_steps=4).fit(module(), data(cache))
    run = trainer(tmp_path, FiniteTraining(patience=3))
    with pytest.raises(UserError, match=r"last.ckpt: weights .* are not finite; take an earlier checkpoint"):
        run.fit(module(), data(cache), ckpt_path=tmp_path / "last.ckpt")
