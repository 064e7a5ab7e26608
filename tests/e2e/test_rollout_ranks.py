"""`run.py rollout` on two devices: two real processes share the tasks out, and one of them prints and writes, once."""

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from run import main

ROOT = Path(__file__).parents[2]
CONFIG = """
model:
  config: {width: 32, depth: 2, heads: 2, head_size: 16, feedforward: 64, context_length: 64, patch_channels: 32}
data:
  val_sequences: 4
  workers: 1
  tasks:
"""
SMALL = "episodes: 4, val_episodes: 2, reference_episodes: 4"
TASKS = {
    "cartpole": f"datamodules.ClassicControlDataModule, init_args: {{env_id: CartPole-v1, {SMALL}}}",
    "pendulum": f"datamodules.ClassicControlDataModule, init_args: {{env_id: Pendulum-v1, {SMALL}}}",
    "taxi": f"datamodules.ToyTextDataModule, init_args: {{env_id: Taxi-v4, {SMALL}}}",
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ranks")
    with contextlib.chdir(folder):
        tasks = "".join(f"    {name}: {{datamodule: {{class_path: {stanza}}}}}\n" for name, stanza in TASKS.items())
        Path("tiny.yaml").write_text(CONFIG + tasks)
        main(["fit", "--config", "tiny.yaml", "--trainer.accelerator", "cpu", "--trainer.max_steps", "1"])
        [found] = folder.rglob("*.ckpt")
        yield str(found)


def arguments(checkpoint: str) -> list[str]:
    return ["rollout", "--ckpt_path", checkpoint, "--episodes", "2", "--workers", "1", "--trainer.accelerator", "cpu"]


def on_two_devices(*args: str) -> subprocess.CompletedProcess:
    devices = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(ROOT / "run.py"), *args, *devices]
    return subprocess.run(command, env=environment, timeout=240, capture_output=True, text=True)


def test_two_devices_share_the_tasks_out_and_report_what_one_does(checkpoint):
    main([*arguments(checkpoint), "--output", "one.json"])
    done = on_two_devices(*arguments(checkpoint), "--output", "two.json")
    assert done.returncode == 0, done.stderr
    one, two = (json.loads(Path(name).read_text())["control"] for name in ("one.json", "two.json"))
    assert [score["task"] for score in two] == list(TASKS)
    assert two == one
    assert done.stdout.count("scores written to two.json") == done.stdout.count("classic-control mean") == 1
    assert not list(Path().glob("two.part*")), "nothing is left to go on from"


def test_what_fails_on_one_device_ends_both(checkpoint):
    Path("three.part1").mkdir()  # where the second device would keep its episodes
    done = on_two_devices(*arguments(checkpoint), "--output", "three.json")
    assert done.returncode != 0
    assert (done.stdout + done.stderr).count("RankFailure: rank 1: IsADirectoryError") >= 2
    assert "scores written" not in done.stdout
