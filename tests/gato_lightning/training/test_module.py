"""The LightningModule: what it logs, and the gradients that it clips."""

import lightning
import pytest
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.precision import MixedPrecision

from gato_lightning.training.finite import FiniteTraining
from tests.tiny_runs import STEPS, Losses, data, module, trainer


class Gradients(lightning.Callback):
    """Keeps the gradients that the first step of the optimiser uses."""

    def __init__(self) -> None:
        self.first: torch.Tensor | None = None

    def on_before_zero_grad(self, trainer, pl_module, optimizer) -> None:
        found = [parameter.grad.flatten() for parameter in pl_module.parameters() if parameter.grad is not None]
        if self.first is None and found:
            self.first = torch.cat(found)


def test_gradients_are_clipped_without_the_scale_of_fp16(tmp_path, cache):
    kept = {}
    for precision in ("32-true", "16-mixed"):
        kept[precision] = Gradients()
        scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
        plugins = [MixedPrecision("16-mixed", "cpu", scaler)] if precision == "16-mixed" else []
        run = trainer(tmp_path, kept[precision], max_steps=2, plugins=plugins, gradient_clip_val=0.1)
        run.fit(module(0.0), data(cache))
    full, half = kept["32-true"].first, kept["16-mixed"].first
    assert torch.linalg.vector_norm(full) == pytest.approx(0.1, rel=1e-3)
    assert torch.linalg.vector_norm(half - full) < 0.05 * torch.linalg.vector_norm(full)


class TaskLosses(Logger):
    """Keeps what is logged of the training losses, by step."""

    name, version = "kept", 0

    def __init__(self) -> None:
        super().__init__()
        self.rows: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics, step=None) -> None:
        found = {name: value for name, value in metrics.items() if name.startswith("train/loss")}
        if found:
            self.rows.setdefault(step, {}).update(found)

    def log_hyperparams(self, *args, **kwargs) -> None:
        pass


@pytest.mark.parametrize("accumulate", [1, 2])
def test_task_losses_are_the_means_since_the_last_time_at_the_step_of_the_loss(tmp_path, cache, accumulate):
    kept = {}
    for every in (1, 5):
        kept[every] = TaskLosses()
        settings = {"logger": kept[every], "log_every_n_steps": every, "accumulate_grad_batches": accumulate}
        trainer(tmp_path, **settings).fit(module(), data(cache, batch_size=1))
    each, fifth = kept[1].rows, kept[5].rows
    assert list(each) == list(range(STEPS))
    assert list(fifth) == [4, 9, STEPS - 1]
    # A batch of one sequence: what a task has no token in, has no loss.
    name = "train/loss/cartpole"
    assert any(name in row for row in each.values())
    if accumulate == 1:
        assert not all(name in row for row in each.values())
    assert all("train/loss" in row for row in each.values())
    for last, row in fifth.items():
        since = [each[step][name] for step in range(last // 5 * 5, last + 1) if name in each[step]]
        assert (name in row) == bool(since)
        if since:
            assert min(since) - 1e-6 <= row[name] <= max(since) + 1e-6


@pytest.mark.parametrize("stop", [5, 7])  # where losses are logged as well, and between
def test_a_resumed_run_logs_the_losses_of_an_uninterrupted_one(tmp_path, cache, stop):
    whole, before, after = TaskLosses(), TaskLosses(), TaskLosses()
    settings = {"log_every_n_steps": 5}
    trainer(tmp_path, logger=whole, **settings).fit(module(), data(cache))
    saving = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=stop, save_last=True)
    killed = trainer(tmp_path, saving, Losses(stop_at=stop + 1), logger=before, enable_checkpointing=True, **settings)
    with pytest.raises(SystemExit):
        killed.fit(module(), data(cache))
    trainer(tmp_path, logger=after, **settings).fit(module(), data(cache), ckpt_path=tmp_path / "last.ckpt")
    assert before.rows | after.rows == whole.rows


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-true", "bf16-mixed", "16-mixed"])
def test_a_step_is_made_and_validated_in_each_precision(tmp_path, cache, precision):
    run = trainer(tmp_path, precision=precision, max_steps=2)
    run.fit(module(), data(cache))
    assert torch.isfinite(run.callback_metrics["val/loss"])


def test_without_logging_a_run_trains(tmp_path, cache):
    kept = TaskLosses()
    run = trainer(tmp_path, FiniteTraining(patience=2), logger=kept, log_every_n_steps=0)
    run.fit(module(), data(cache))
    assert run.global_step == STEPS
    assert list(kept.rows) == [STEPS - 1]  # at the end alone
