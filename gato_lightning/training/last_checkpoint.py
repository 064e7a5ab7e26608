"""The last checkpoint of a run is of its last step."""

from pathlib import Path

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException

from gato_lightning.common.outputs import remove_leftovers


class LastCheckpoint(Callback):
    """Brings each `last.ckpt` up to the last step, before anything is evaluated there.

    Lightning leaves it at the last multiple of `every_n_train_steps`: up to as many steps are lost. This callback stands before
    all others, so that a run which is killed, or fails, in its final evaluation loses nothing. So does one that SIGTERM ends.
    """

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.is_global_zero and trainer.ckpt_path:
            remove_leftovers(Path(trainer.ckpt_path).parent)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if isinstance(exception, SIGTERMException) and trainer.training:  # between two steps
            self._save(trainer)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # After the last step Lightning validates before it says that training has ended.
        if trainer.fit_loop.epoch_loop._is_training_done or trainer.should_stop:
            self._save(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._save(trainer)

    def _save(self, trainer: Trainer) -> None:
        for callback in trainer.checkpoint_callbacks:
            if isinstance(callback, ModelCheckpoint) and not callback._should_skip_saving_checkpoint(trainer):
                # Where `save_last` is "link", a file of its own: the other files are of earlier steps.
                callback._last_checkpoint_saved = ""
                callback._save_last_checkpoint(trainer, callback._monitor_candidates(trainer))
