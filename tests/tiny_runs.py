"""Runs of two control tasks as small as a test needs them."""

from pathlib import Path

import lightning

from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.model.config import GatoConfig
from gato_lightning.training.module import GatoModule
from gato_lightning.training.optimizer import OptimizerConfig

STEPS = 12


CONFIG = {
    "width": 32,
    "depth": 2,
    "heads": 2,
    "head_size": 16,
    "feedforward": 64,
    "context_length": 64,
    "patch_channels": 32,
}

# As a file for the command line; the run goes on until it is stopped, or `max_steps` are overridden.
CONFIG_FILE = """
trainer:
  max_steps: 100000
  accelerator: cpu
  precision: 32-true
  enable_progress_bar: false
  limit_val_batches: 0
  callbacks:
    - {class_path: lightning.pytorch.callbacks.ModelCheckpoint, init_args: {every_n_train_steps: 2, save_last: true}}
model:
  config: {width: 32, depth: 1, heads: 1, head_size: 32, feedforward: 32, context_length: 64, patch_channels: 32}
data:
  batch_size: 2
  workers: 1
  tasks:
    cartpole:
      datamodule:
        class_path: datamodules.ClassicControlDataModule
        init_args: {env_id: CartPole-v1, episodes: 2, val_episodes: 1, reference_episodes: 1, min_score: null}
"""


class Losses(lightning.Callback):
    """Keeps the loss of every batch, summed over its tokens; stops the process' training at a step, as a kill would."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.losses: list[float] = []
        self.stop_at = stop_at

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.losses.append(float(outputs["loss"]))
        if trainer.global_step == self.stop_at:
            raise KeyboardInterrupt


def data(cache: Path, batch_size: int = 4) -> MixtureDataModule:
    def task(env_id: str) -> ClassicControlDataModule:
        return ClassicControlDataModule(env_id=env_id, episodes=4, val_episodes=2, reference_episodes=4)

    return MixtureDataModule(
        tasks={"cartpole": TaskSpec(task("CartPole-v1")), "pendulum": TaskSpec(task("Pendulum-v1"), weight=2.0)},
        batch_size=batch_size,
        context_length=64,
        cache_dir=str(cache),
        val_sequences=4,
        workers=1,
    )


def module(drop_path: float = 0.1) -> GatoModule:
    lightning.seed_everything(0)
    return GatoModule(GatoConfig(**CONFIG, drop_path=drop_path), OptimizerConfig(learning_rate=1e-3, warmup_steps=4))


def trainer(folder: Path, *callbacks, **settings) -> lightning.Trainer:
    defaults = {
        "accelerator": "cpu",
        "max_steps": STEPS,
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "default_root_dir": folder,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "gradient_clip_val": 1.0,
    }
    return lightning.Trainer(callbacks=list(callbacks), **{**defaults, **settings})
