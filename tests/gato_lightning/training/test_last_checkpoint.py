"""The last checkpoint of a run is of its last step."""

import lightning
import numpy as np
import pytest
import torch

from gato_lightning.model.checkpoint import load_checkpoint
from gato_lightning.training.trainer import GatoTrainer
from tests.tiny_runs import STEPS, Losses, data, module, trainer


@pytest.mark.parametrize("every", [5, STEPS, 1000])
def test_the_last_checkpoint_is_of_the_last_step(tmp_path, cache, every):
    saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=every, save_last=True)
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    trained, more = module(), Losses()
    GatoTrainer(callbacks=[saving], max_steps=STEPS, **settings).fit(trained, data(cache))
    last = load_checkpoint(tmp_path / "last.ckpt")
    assert last["global_step"] == STEPS
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(last["state_dict"][name], value, rtol=0, atol=0)
    GatoTrainer(callbacks=[more], max_steps=STEPS + 2, enable_checkpointing=False, **settings).fit(
        module(), data(cache), ckpt_path=tmp_path / "last.ckpt"
    )
    assert len(more.losses) == 2


class Fails(lightning.Callback):
    """Fails in one of the hooks in which a run is evaluated at its end."""

    def __init__(self, hook: str, stop_at: int | None = None) -> None:
        self.stop_at = stop_at
        setattr(self, hook, self._fail)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        trainer.should_stop = trainer.global_step == self.stop_at

    def _fail(self, trainer, pl_module) -> None:
        raise RuntimeError("the final evaluation fails")


@pytest.mark.parametrize(("hook", "save_last"), [("on_train_end", True), ("on_validation_epoch_start", "link")])
def test_a_run_that_fails_in_its_final_evaluation_loses_no_step(tmp_path, cache, hook, save_last):
    whole, before, after = Losses(), Losses(), Losses()
    trainer(tmp_path, whole).fit(module(), data(cache))
    settings = {"accelerator": "cpu", "logger": False, "enable_progress_bar": False, "default_root_dir": tmp_path}
    saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=4, save_last=save_last)
    settings |= {"max_steps": STEPS, "gradient_clip_val": 1.0, "num_sanity_val_steps": 0, "precision": "32-true"}
    run = GatoTrainer(callbacks=[before, Fails(hook, stop_at=7), saving], **settings)
    with pytest.raises(RuntimeError, match="the final evaluation fails"):
        run.fit(module(), data(cache))
    assert load_checkpoint(tmp_path / "last.ckpt")["global_step"] == len(before.losses) == 7
    assert load_checkpoint(saving.best_model_path)["global_step"] == 4
    trainer(tmp_path, after).fit(module(), data(cache), ckpt_path=tmp_path / "last.ckpt")
    np.testing.assert_array_equal(after.losses, whole.losses[7:])
