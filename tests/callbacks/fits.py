"""A fit as small as a callback can be tested in: real tasks, the real model, a few steps."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules.mixture import MixtureDataModule, TaskSpec
from datamodules.text.plain_text import TextDataModule
from datamodules.vision.captions import CaptionsDataModule
from datamodules.vision.vqa import VqaDataModule
from gato_lightning.model.config import GatoConfig
from gato_lightning.training.module import GatoModule

# Shared by all fits, so that demonstrations are made once.
_SHARED = TemporaryDirectory()


def mixture() -> MixtureDataModule:
    """Captions, questions and text, the last of 20 documents."""
    folder = Path(_SHARED.name)
    (folder / "texts").mkdir(exist_ok=True)
    for i in range(20):
        (folder / "texts" / f"{i}.txt").write_text(f"Document {i} says " + " ".join(f"{n} times {i}" for n in range(12)))
    return MixtureDataModule(
        {
            "emoji": TaskSpec(CaptionsDataModule(image_size=16, views=1)),
            "scenes": TaskSpec(VqaDataModule(grid=2, objects=2, questions=60, val_questions=20)),
            "prose": TaskSpec(TextDataModule(sources=[str(folder / "texts")], held_out=0.3)),
        },
        batch_size=2,
        context_length=64,
        cache_dir=str(folder / "cache"),
        workers=1,
        val_sequences=2,
    )


def module() -> GatoModule:
    """A model of a few thousand parameters and its table of ids."""
    torch.manual_seed(0)
    sizes = {"width": 32, "depth": 1, "heads": 1, "head_size": 32, "feedforward": 64, "patch_channels": 32}
    return GatoModule(GatoConfig(context_length=64, patch_stride=4, **sizes))


def trainer(folder: Path, steps: int, *callbacks: Callback, **settings: Any) -> Trainer:
    """A quiet trainer on one CPU core that logs to TensorBoard in `folder`."""
    return Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=TensorBoardLogger(folder, name="", version="log"),
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        limit_val_batches=0,
        **settings,
    )


def logged(folder: Path) -> EventAccumulator:
    """What a fit logged."""
    events = EventAccumulator(str(folder / "log"), size_guidance={"images": 0, "scalars": 0, "tensors": 0})
    return events.Reload()
