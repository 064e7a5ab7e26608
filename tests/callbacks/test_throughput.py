import time
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers.logger import DummyLogger
from torch.utils.data import DataLoader, Dataset

from callbacks.throughput import Throughput
from gato_lightning.errors import UserError
from gato_lightning.sequences.batch import TokenBatch

STEP, WAIT, OTHER = 0.03, 0.09, 0.3  # seconds


def batch(tokens: int) -> TokenBatch:
    """2 sequences of 8 slots, of which the first `tokens` are filled, with 3 timesteps."""
    none, zeros = torch.empty(0, dtype=torch.int64), torch.zeros(2, 8, dtype=torch.int64)
    segment = (torch.arange(16) < tokens).long().view(2, 8)
    nothing = torch.empty(0, 16, 16, 3, dtype=torch.uint8)
    return TokenBatch(zeros, zeros, zeros, zeros, segment, zeros, none, none, nothing, none, none.view(0, 4), 3, 0, 1)


class Batches(Dataset):
    """Batch i has 1 + i % 10 tokens and takes `wait` seconds to make."""

    def __init__(self, wait: float = 0.0) -> None:
        self.wait = wait

    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> TokenBatch:
        time.sleep(self.wait)
        return batch(1 + index % 10)


class Model(LightningModule):
    """Sleeps `step` seconds."""

    def __init__(self, step: float = 0.0) -> None:
        super().__init__()
        self.step, self.weight = step, torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch: TokenBatch, index: int) -> torch.Tensor:
        time.sleep(self.step)
        return self.weight.sum()

    def validation_step(self, batch: TokenBatch, index: int) -> None:
        time.sleep(OTHER)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Slow(Callback):
    """Evaluates for long between two steps."""

    def on_train_batch_end(self, *_: object) -> None:
        time.sleep(OTHER)


class Kept(DummyLogger):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, list[float]] = defaultdict(list)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        for key, value in metrics.items():
            self.values[key].append(value)


def fit(steps: int, *callbacks: Callback, wait: float = 0.0, step: float = 0.0, **settings) -> dict[str, list[float]]:
    logger = Kept()
    trainer = Trainer(
        max_steps=steps,
        accelerator="cpu",
        callbacks=list(callbacks),
        logger=logger,
        enable_checkpointing=any(isinstance(callback, ModelCheckpoint) for callback in callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        limit_val_batches=4,
    )
    data = DataLoader(Batches(wait), batch_size=None)
    trainer.fit(Model(step), data, data if settings.pop("validate", False) else None, **settings)
    return logger.values


def test_tokens_timesteps_sequences_and_padding_are_counted():
    throughput = Throughput(every_n_steps=2)
    values = fit(5, throughput)
    assert throughput.totals == {"tokens": 15, "timesteps": 15, "sequences": 10, "slots": 80}
    assert throughput.tokens_seen == 15
    assert values["throughput/tokens_seen"] == [3, 10, 15]  # the last window is cut short by the end
    assert values["throughput/padding"] == pytest.approx([1 - 3 / 32, 1 - 7 / 32, 1 - 5 / 16])
    for tokens, timesteps in zip(values["throughput/tokens_per_s"], values["throughput/timesteps_per_s"], strict=True):
        assert tokens > 0
        assert timesteps > 0


def test_waiting_for_data_is_told_from_stepping():
    values = fit(5, Throughput(every_n_steps=5), wait=WAIT, step=STEP)
    assert 0.5 < values["throughput/data_wait"][0] < 0.9
    assert values["throughput/sequences_per_s"][0] < 10 / (5 * (WAIT + STEP))
    (fast,) = fit(5, Throughput(every_n_steps=5), step=STEP)["throughput/data_wait"]
    assert fast < 0.4


@pytest.mark.parametrize("first", [True, False])
def test_what_other_callbacks_do_between_steps_is_neither(first: bool):
    throughput = Throughput(every_n_steps=4)
    callbacks = (throughput, Slow()) if first else (Slow(), throughput)
    values = fit(4, *callbacks, step=STEP)
    assert throughput.seconds < 4 * OTHER
    assert values["throughput/data_wait"][0] < 0.3


def test_validation_is_neither():
    throughput = Throughput(every_n_steps=100)
    fit(40, throughput, validate=True)  # after the epoch of 30 steps, 4 batches
    assert throughput.seconds < 4 * OTHER


def test_a_resumed_run_goes_on_counting(tmp_path: Path):
    saving = ModelCheckpoint(tmp_path, save_top_k=-1, every_n_train_steps=1, filename="{step}")
    whole = Throughput(every_n_steps=2)
    fit(5, whole, saving)
    resumed = Throughput(every_n_steps=2)
    fit(5, resumed, ckpt_path=str(tmp_path / "step=3.ckpt"))
    assert resumed.seconds > 0
    assert resumed.totals["sequences"] == whole.totals["sequences"] == 10


def test_a_cadence_of_nothing_is_refused():
    with pytest.raises(UserError, match="every_n_steps: 0, expected"):
        Throughput(every_n_steps=0)
