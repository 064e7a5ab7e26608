"""The last checkpoint of a run is of its last step."""

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint


class LastCheckpoint(Callback):
    """Brings each `last.ckpt` up to the end of training.

    Lightning leaves it at the last multiple of `every_n_train_steps`: up to as many steps are lost.
    """

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        kept = [one for one in trainer.checkpoint_callbacks if isinstance(one, ModelCheckpoint) and one.save_last]
        for callback in kept:
            # One that had saved nothing yet has done so by itself, just before.
            if callback._last_global_step_saved != trainer.global_step:
                trainer.save_checkpoint(callback.last_model_path, callback.save_weights_only)
