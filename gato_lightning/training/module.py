"""The LightningModule: wiring only."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric

from gato_lightning.acting.generation import generate_text
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Writer
from gato_lightning.errors import UserError
from gato_lightning.model.checkpoint import MARK, load_checkpoint
from gato_lightning.model.config import GatoConfig
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary
from gato_lightning.training.group_means import GroupMeans
from gato_lightning.training.loss import token_losses
from gato_lightning.training.optimizer import OptimizerConfig, make_optimizer


class GatoModule(LightningModule):
    """Trains Gato, and writes with it.

    Args:
        config: the model's settings.
        optimizer: the optimiser's settings.

    Attributes:
        writer: captions, answers and continuations, by a model of `from_checkpoint`.
    """

    writer: Writer

    def __init__(self, config: GatoConfig = GatoConfig(), optimizer: OptimizerConfig = OptimizerConfig()) -> None:
        super().__init__()
        self.config, self.optimizer_config = config, optimizer
        self.model = Gato(self.config)

    def setup(self, stage: str) -> None:
        """Learns the task names, by which losses are logged."""
        datamodule = getattr(self.trainer, "datamodule", None)
        self.task_names: list[str] = datamodule.task_names if datamodule else ["task"]
        groups = {"loss": self.task_names, "loss_by_modality": [kind.name.lower() for kind in Kind]}
        self.means = nn.ModuleDict(
            {f"{part}/{name}": GroupMeans(labels) for part in ("train", "val") for name, labels in groups.items()}
        )
        self.val_loss = MeanMetric()
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
        self._count("train", batch, losses.detach())
        self.log("train/loss", losses.detach().mean(), prog_bar=True)
        self._predicted = self._predicted.to(losses.device) + len(losses)
        # A step's loss is the mean over the predicted tokens of all its batches, on all ranks. Their number is known when
        # the last batch has been seen, so `configure_gradient_clipping` divides by it.
        return losses.sum()

    def on_train_batch_end(self, outputs: Any, batch: TokenBatch, batch_idx: int) -> None:
        """Logs the losses by task and modality, at the steps at which Lightning logs the loss."""
        step = self.trainer.global_step
        if step % self.trainer.log_every_n_steps == 0 and step != self._logged_at:  # type: ignore[attr-defined]
            self._log_training_losses()

    def on_train_end(self) -> None:
        """Logs the losses of the last steps."""
        if self._logged_at != self.trainer.global_step:
            self._log_training_losses()

    def validation_step(self, batch: TokenBatch, batch_idx: int) -> None:
        losses = token_losses(self.model, batch)
        self._count("val", batch, losses)
        self.val_loss.update(losses)
        self.log("val/loss", self.val_loss, on_step=False, on_epoch=True, prog_bar=True)

    def on_validation_epoch_end(self) -> None:
        self.log_dict(self._mean_losses("val"), rank_zero_only=True)

    test_step = validation_step
    on_test_epoch_end = on_validation_epoch_end

    def predict_step(self, batch: TokenBatch, batch_idx: int) -> Tensor:
        """- log p of each predicted slot of a batch, (N,) in nats."""
        return token_losses(self.model, batch)

    @classmethod
    def from_checkpoint(cls, path: str | Path, tokenizer_path: str | None = None) -> Self:
        """A trained model, to write with: `caption`, `answer`, `generate`.

        Args:
            path: the checkpoint.
            tokenizer_path: its text tokenizer, where that is no longer where it was when the model was trained.

        Raises:
            UserError: no checkpoint of this project, or a text tokenizer that it was not trained with.
        """
        checkpoint = load_checkpoint(path)
        stored = checkpoint[MARK]
        text = TextTokenizer(tokenizer_path or stored.get("tokenizer_path"))
        _check_tokenizer(stored, text)
        model = cls(GatoConfig(**{**stored["config"], "vocabulary": Vocabulary(**stored["config"]["vocabulary"])}))
        model.load_state_dict(checkpoint["state_dict"])
        images = {name: (domain, ImageSettings(**how)) for name, (domain, how) in stored.get("images", {}).items()}
        model.eval()
        model.writer = Writer(model.model, text, images)
        return model

    def caption(self, *args: Any, **kwargs: Any) -> list[str]:
        """A caption for each image, see `Writer.caption`."""
        return self.writer.caption(*args, **kwargs)

    def answer(self, *args: Any, **kwargs: Any) -> list[str]:
        """An answer to each question about an image, see `Writer.answer`."""
        return self.writer.answer(*args, **kwargs)

    def generate(self, *args: Any, **kwargs: Any) -> list[str]:
        """How each text goes on, see `Writer.generate`."""
        return self.writer.generate(*args, **kwargs)

    @torch.no_grad()
    def write(
        self,
        tokenizer: TimestepTokenizer,
        observations: Sequence[Any],
        settings: DecodingSettings = DecodingSettings(),
        generator: torch.Generator | None = None,
        openings: Sequence[str] | None = None,
    ) -> list[str]:
        """Text actions for observations of any space, see `generate_text`."""
        return generate_text(self.model, tokenizer, observations, settings, generator, openings)

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
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuses a checkpoint that was trained with another text tokenizer.

        Raises:
            UserError: the tokenizers differ.
        """
        datamodule = getattr(self._trainer, "datamodule", None) if self._trainer else None
        if datamodule:
            _check_tokenizer(checkpoint.get(MARK, {}), datamodule.text_tokenizer)

    def _count(self, part: str, batch: TokenBatch, losses: Tensor) -> None:
        """Adds losses to the means by task and by modality, on the device: nothing is waited for in a step."""
        for name, groups in (("loss", batch.task), ("loss_by_modality", batch.kinds)):
            cast(GroupMeans, self.means[f"{part}/{name}"]).update(groups.flatten()[batch.targets], losses)

    def _mean_losses(self, part: str) -> dict[str, float]:
        """Mean losses by task and by modality since the last time, over all ranks; none of what did not occur."""
        found = {name: cast(GroupMeans, metric) for name, metric in self.means.items() if name.startswith(f"{part}/")}
        means = {f"{name}/{label}": mean for name, metric in found.items() for label, mean in metric.compute().items()}
        for metric in found.values():
            metric.reset()
        return means

    def _log_training_losses(self) -> None:
        self._logged_at = self.trainer.global_step
        means = self._mean_losses("train")
        for logger in self.loggers:
            logger.log_metrics(means, self._logged_at - 1)  # Lightning counts steps from 0


def _check_tokenizer(stored: dict[str, Any], text: TextTokenizer) -> None:
    """Refuses a tokenizer that the checkpoint was not trained with: its ids would mean something else."""
    trained = stored.get("tokenizer_sha256")
    if trained and trained != text.sha256:
        raise UserError(
            f"tokenizer model {text.path}: not the one that the checkpoint was trained with (sha256 {trained[:12]}..)"
        )
