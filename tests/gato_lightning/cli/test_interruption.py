"""A run that is stopped says how to go on and returns what a shell expects; the command that it names goes on."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CONFIG = """
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


def wait_for(happened: Callable[[], object]) -> None:
    until = time.monotonic() + 120
    while not happened():
        assert time.monotonic() < until
        time.sleep(0.05)


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), *args]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_names_its_checkpoint(tmp_path, stop):
    (tmp_path / "small.yaml").write_text(CONFIG)
    run = start(tmp_path, "fit", "--config", "small.yaml")
    last = tmp_path / "logs" / "small" / "version_0" / "checkpoints" / "last.ckpt"
    wait_for(last.exists)
    run.send_signal(stop)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 128 + stop
    assert errors.splitlines()[-1] == f"stopped; the same command goes on with --ckpt_path {last.relative_to(tmp_path)}"
    assert "Traceback" not in errors


def test_collecting_that_is_stopped_says_that_the_same_command_goes_on(tmp_path):
    run = start(tmp_path, "collect", "--tasks", "cartpole", "--episodes", "100000", "--workers", "1", "--out", "sets")
    wait_for(lambda: list(tmp_path.glob("sets/.collect/**/*.json")))
    run.send_signal(signal.SIGTERM)
    _, errors = run.communicate(timeout=60)
    assert run.returncode == 143
    assert errors.splitlines()[-1] == "stopped; the same command goes on from here"
    assert "Traceback" not in errors
