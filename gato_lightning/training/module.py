"""The LightningModule: wiring only."""

import os
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor

from gato_lightning.errors import UserError
from gato_lightning.model.checkpoint import MARK, check_action_bounds, check_tokenizer
from gato_lightning.model.config import GatoConfig
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.training.loss import token_losses
from gato_lightning.training.loss_means import LossMeans, TokenMean
from gato_lightning.training.optimizer import OptimizerConfig, make_optimizer

LOSS_SUMS = "loss_sums"  # the key of a checkpoint for what is not yet logged of the losses


class GatoModule(LightningModule):
    """Trains Gato.

    Args:
        config: the model's settings.
        optimizer: the optimiser's settings.
    """

    def __init__(self, config: GatoConfig = GatoConfig(), optimizer: OptimizerConfig = OptimizerConfig()) -> None:
        super().__init__()
        self.config, self.optimizer_config = config, optimizer
        self.model = Gato(self.config)

    def setup(self, stage: str) -> None:
        """Learns the task names, by which losses are logged."""
        datamodule = getattr(self.trainer, "datamodule", None)
        self.task_names: list[str] = datamodule.task_names if datamodule else ["task"]
        self.training_losses, self.validation_losses = LossMeans(self.task_names), LossMeans(self.task_names)
        self.val_loss = TokenMean()
        self._predicted = torch.zeros(())  # tokens since the last step of the optimiser, on this rank

    def configure_optimizers(self) -> Any:
        optimizer, schedule = make_optimizer(self, self.optimizer_config, int(self.trainer.estimated_stepping_batches))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Divides the gradients by the number of predicted tokens of the whole step, then clips their norm.

        Both need gradients without fp16's loss scale, which a fused optimiser would take off itself, but only later.
        """
        if gradient_clip_algorithm not in (None, "norm"):
            raise UserError(f"trainer.gradient_clip_algorithm: {gradient_clip_algorithm}, expected norm")
        if (scaler := getattr(self.trainer.precision_plugin, "scaler", None)) is not None:
            scaler.unscale_(optimizer)
        predicted = self.trainer.strategy.reduce(self._predicted, reduce_op="sum")
        self._predicted = torch.zeros_like(self._predicted)
        # DDP takes the mean over ranks, and Lightning that over the batches of a step.
        scale = self.trainer.world_size * self.trainer.accumulate_grad_batches / predicted.clamp(min=1.0)
        gradients = [parameter.grad for parameter in self.parameters() if parameter.grad is not None]
        torch._foreach_mul_(gradients, scale)
        if gradient_clip_val is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def on_train_start(self) -> None:
        self._logged_at = self.trainer.global_step  # when training losses were last logged

    def on_train_batch_start(self, batch: TokenBatch, batch_idx: int) -> None:
        """Seeds what is random in a step (patch positions, stochastic depth) by run, rank and batch.

        So a resumed run draws what an uninterrupted one does, and evaluating in between changes nothing.
        """
        run = int(os.environ.get("PL_GLOBAL_SEED", "0"))  # what `seed_everything` was given
        torch.manual_seed(int(np.random.SeedSequence((run, self.global_rank, batch_idx)).generate_state(1)[0]))

    def training_step(self, batch: TokenBatch, batch_idx: int) -> Tensor:
        losses = token_losses(self.model, batch)
        self.training_losses.update(batch, losses.detach())
        self.log("train/loss", losses.detach().mean(), prog_bar=True)
        self._predicted = self._predicted.to(losses.device) + len(losses)
        # A step's loss is the mean over the predicted tokens of all its batches, on all ranks. Their number is known when
        # the last batch has been seen, so `configure_gradient_clipping` divides by it.
        return losses.sum()

    def on_train_batch_end(self, outputs: Any, batch: TokenBatch, batch_idx: int) -> None:
        """Logs the losses by task and modality, at the steps at which Lightning logs the loss."""
        if self._log_is_due():
            self._log_training_losses()

    def on_train_end(self) -> None:
        """Logs the losses of the last steps."""
        if self._logged_at != self.trainer.global_step:
            self._log_training_losses()

    def validation_step(self, batch: TokenBatch, batch_idx: int) -> None:
        losses = token_losses(self.model, batch)
        self.validation_losses.update(batch, losses)
        self.val_loss.update(losses)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self.validation_losses.take("val"), rank_zero_only=True)

    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def predict_step(self, batch: TokenBatch, batch_idx: int) -> Tensor:
        """- log p of each predicted slot of a batch, (N,) in nats."""
        return token_losses(self.model, batch)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Marks the checkpoint as ours and notes what must match when it is read."""
        datamodule = getattr(self.trainer, "datamodule", None)
        checkpoint[MARK] = {
            "version": version("gato-lightning"),
            "config": asdict(self.config),
            "optimizer": asdict(self.optimizer_config),
            "tokenizer_sha256": datamodule.text_tokenizer.sha256 if datamodule else None,
            "tokenizer_path": datamodule.tokenizer_path if datamodule else None,
            # What it takes to show the model other images.
            "images": datamodule.image_settings() if datamodule else {},
            # What actions mean whose bounds the data gave.
            "action_bounds": datamodule.action_bounds() if datamodule else {},
        }
        checkpoint[LOSS_SUMS] = self._loss_sums()

    def _loss_sums(self) -> dict[str, Any]:
        """Of all ranks, what is not yet logged of the losses by task and modality; a resumed run then logs the same means."""
        if not hasattr(self, "_logged_at") or self._log_is_due():  # logged right behind this checkpoint
            return {}
        sums = self.training_losses.sums()
        return self.training_losses.named(
            {part: self.trainer.strategy.reduce(one, reduce_op="sum") for part, one in sums.items()}
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint whose text or actions were other tokens than they are now; takes up losses not yet logged.

        Raises:
            UserError: the text tokenizers differ, or the bounds that actions are given by their data.
        """
        datamodule = getattr(self._trainer, "datamodule", None) if self._trainer else None
        if datamodule:
            stored = checkpoint.get(MARK, {})
            check_tokenizer(stored, datamodule.text_tokenizer)
            check_action_bounds(stored.get("action_bounds", {}), datamodule.action_bounds())
            if hasattr(self, "training_losses") and self.trainer.is_global_zero:
                self.training_losses.add_named(checkpoint.get(LOSS_SUMS, {}))

    def _log_is_due(self) -> bool:
        step, every = self.trainer.global_step, self.trainer.log_every_n_steps  # type: ignore[attr-defined]
        return every > 0 and step % every == 0 and step != self._logged_at  # 0: never, as Lightning has it

    def _log_training_losses(self) -> None:
        self._logged_at = self.trainer.global_step
        means = self.training_losses.take("train")
        for logger in self.loggers:
            logger.log_metrics(means, self._logged_at - 1)  # Lightning counts steps from 0
