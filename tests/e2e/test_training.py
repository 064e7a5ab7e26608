"""The whole of it, small: exact resume, two processes equal to one, evaluation that changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch
from lightning.pytorch.loggers import Logger
from lightning.pytorch.plugins.precision import MixedPrecision

from callbacks.rollout_evaluation import RolloutEvaluation
from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.model.checkpoint import load_checkpoint
from gato_lightning.model.config import GatoConfig
from gato_lightning.sequences.tasks import FINAL_SEED
from gato_lightning.training.module import GatoModule
from gato_lightning.training.optimizer import OptimizerConfig
from gato_lightning.training.trainer import GatoTrainer

ROOT = Path(__file__).parents[2]
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


class Losses(lightning.Callback):
    """Keeps the loss of every batch, summed over its tokens; stops the process' training at a step, as a kill would."""

    def __init__(self, stop_at: int | None = None) -> None:
        self.losses: list[float] = []
        self.stop_at = stop_at

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.losses.append(float(outputs["loss"]))
        if trainer.global_step == self.stop_at:
            raise KeyboardInterrupt


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


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


@pytest.mark.parametrize("accumulate", [1, 2])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, cache, accumulate):
    whole, before, after = Losses(), Losses(stop_at=5), Losses()
    settings = {"accumulate_grad_batches": accumulate}
    trainer(tmp_path, whole, **settings).fit(module(), data(cache))
    checkpoint = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=4, save_last=True)
    with pytest.raises(SystemExit):
        trainer(tmp_path, checkpoint, before, **settings, enable_checkpointing=True).fit(module(), data(cache))
    trainer(tmp_path, after, **settings).fit(module(), data(cache), ckpt_path=tmp_path / "last.ckpt")
    # Killed at step 5, after the checkpoint of step 4.
    np.testing.assert_array_equal(before.losses, whole.losses[: 5 * accumulate])
    np.testing.assert_array_equal(after.losses, whole.losses[4 * accumulate :])
    assert len(whole.losses) == STEPS * accumulate


class Seen(lightning.Callback):
    """Keeps the sequences that the model was given, by their ids."""

    def __init__(self) -> None:
        self.sequences: list[bytes] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.sequences += [row.numpy().tobytes() for row in batch.ids]


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 1), (6, 1), (2, 3), (4, 2), (3, 2)])
def test_a_run_that_resumes_otherwise_repeats_no_sequence(tmp_path, cache, batch_size, accumulate):
    """Six steps of 2 x 4 sequences, four of another kind, two more of the first: together as from one run."""
    kinds = [(4, 2, 6), (batch_size, accumulate, 10), (4, 2, STEPS)]
    seen: list[bytes] = []
    path = None
    for number, (size, batches, until) in enumerate(kinds):
        part = Seen()
        one = trainer(tmp_path, part, accumulate_grad_batches=batches, max_steps=until)
        one.fit(module(), data(cache, size), ckpt_path=path)
        assert one.global_step == until
        path = tmp_path / f"{number}.ckpt"
        one.save_checkpoint(path)
        seen += part.sequences
    assert len(seen) == 6 * 8 + 4 * batch_size * accumulate + 2 * 8
    whole = data(cache)
    whole.setup("fit")
    packer = whole.packer("train")
    expected = [whole._collate([packer(index)]).ids[0].numpy().tobytes() for index in range(len(seen))]
    assert seen == expected


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


def test_evaluation_changes_nothing_in_training(tmp_path, cache):
    plain, evaluated = Losses(), Losses()
    trainer(tmp_path, plain).fit(module(), data(cache))
    rollouts = RolloutEvaluation(every_n_steps=4, episodes=2, final_episodes=2, lanes=2, tasks=["pendulum"])
    trainer(tmp_path, rollouts, evaluated, val_check_interval=6).fit(module(), data(cache))
    np.testing.assert_array_equal(plain.losses, evaluated.losses)
    assert [len(score.returns) for score in rollouts.scores] == [2]


def test_accumulated_batches_equal_one_large_batch(tmp_path, cache):
    """Though the batches of a step differ in how many tokens they predict."""
    at_once, in_parts = module(0.0), module(0.0)
    trainer(tmp_path).fit(at_once, data(cache, batch_size=4))
    trainer(tmp_path, accumulate_grad_batches=2).fit(in_parts, data(cache, batch_size=2))
    for name, value in at_once.state_dict().items():
        torch.testing.assert_close(in_parts.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name)


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


def test_two_processes_equal_one(tmp_path, cache):
    alone = Losses()
    data(cache).prepare_data()
    trainer(tmp_path, alone).fit(module(0.0), data(cache, batch_size=4))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CACHE": str(cache),
        "OUT": str(tmp_path),
    }
    subprocess.run([sys.executable, __file__], check=True, env=environment, timeout=240, cwd=tmp_path)
    together = np.sum([np.load(tmp_path / f"rank{rank}.npy") for rank in range(2)], axis=0)
    np.testing.assert_allclose(together, alone.losses, rtol=2e-3)
    # The ranks share the tasks out: each is played once, and every rank knows of both.
    for rank in range(2):
        played = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert played == {"cartpole": [FINAL_SEED, FINAL_SEED + 1], "pendulum": [FINAL_SEED, FINAL_SEED + 1]}


def _two_processes() -> None:
    """What each of the two processes of the test runs."""
    losses, folder = Losses(), Path(os.environ["OUT"])
    rollouts = RolloutEvaluation(final_episodes=2, lanes=2, workers=1)
    run = trainer(folder, losses, rollouts, devices=2, strategy="ddp", use_distributed_sampler=False)
    run.fit(module(0.0), data(Path(os.environ["CACHE"]), batch_size=2))
    np.save(folder / f"rank{run.global_rank}.npy", losses.losses)
    assert len(rollouts.scores) == 2
    seeds = {score.task: [one.seed for one in score.finished] for score in rollouts.scores}
    (folder / f"rank{run.global_rank}.json").write_text(json.dumps(seeds))


if __name__ == "__main__":
    torch.set_num_threads(1)
    _two_processes()
