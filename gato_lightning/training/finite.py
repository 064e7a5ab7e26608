"""A run whose numbers have become infinite or NaN is stopped, and its last good checkpoint kept."""

from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from gato_lightning.common.settings import PositiveInt, check_settings
from gato_lightning.errors import UserError


class FiniteTraining(Callback):
    """Stops a run whose loss has not been finite for some steps, and refuses to write or to take up weights that are not.

    The loss is read every `log_every_n_steps` steps, when it is logged, so that other steps do not wait for a GPU.

    Args:
        patience: steps in a row without a finite loss, 1 or more.
    """

    def __init__(self, patience: PositiveInt) -> None:
        check_settings(locals(), FiniteTraining)
        self.patience = patience
        self._broken = torch.zeros(())  # steps in a row without a finite loss

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, outputs: Any, *args: Any) -> None:
        loss = outputs["loss"].detach()
        self._broken = torch.where(torch.isfinite(loss), 0.0, self._broken.to(loss.device) + 1.0)
        if trainer.global_step % max(1, trainer.log_every_n_steps) == 0:  # type: ignore[attr-defined]
            broken = int(trainer.strategy.reduce(self._broken, reduce_op="max"))
            if broken >= self.patience:
                raise UserError(f"train/loss: not finite in {broken} steps up to step {trainer.global_step}{_ways_on(trainer)}")

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if (name := _not_finite(checkpoint["state_dict"])) is not None:
            raise UserError(f"weights {name}: not finite at step {trainer.global_step}{_ways_on(trainer)}")

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        if (name := _not_finite(checkpoint["state_dict"])) is not None:
            raise UserError(f"{trainer.ckpt_path}: weights {name} are not finite; take an earlier checkpoint")


def _not_finite(weights: dict[str, Tensor]) -> str | None:
    """The name of the first weights among which are infinities or NaN."""
    return next((name for name, tensor in weights.items() if not torch.isfinite(tensor).all()), None)


def _ways_on(trainer: Trainer) -> str:
    paths = [path for one in trainer.checkpoint_callbacks for path in (one.last_model_path, one.best_model_path) if path]  # type: ignore[attr-defined]
    last = f"the last good checkpoint is {paths[0]}" if paths else "no checkpoint was written before"
    return f"; {last}; a lower model.optimizer.learning_rate may help"
