"""A run that is stopped says how to go on and returns what a shell expects; the command that it names goes on."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tiny_runs import CONFIG_FILE

ROOT = Path(__file__).parents[3]


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
    (tmp_path / "small.yaml").write_text(CONFIG_FILE)
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
