"""`run.py rollout` on two devices: two real processes share the tasks out, and one of them prints and writes, once."""

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
    "cartpole": f"datamodules.classic_control.ClassicControlDataModule, init_args: {{env_id: CartPole-v1, {SMALL}}}",
    "pendulum": f"datamodules.classic_control.ClassicControlDataModule, init_args: {{env_id: Pendulum-v1, {SMALL}}}",
    "taxi": f"datamodules.toy_text.ToyTextDataModule, init_args: {{env_id: Taxi-v4, {SMALL}}}",
}


@pytest.fixture
def checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tasks = "".join(f"    {name}: {{datamodule: {{class_path: {stanza}}}}}\n" for name, stanza in TASKS.items())
    Path("tiny.yaml").write_text(CONFIG + tasks)
    main(["fit", "--config", "tiny.yaml", "--trainer.accelerator", "cpu", "--trainer.max_steps", "1"])
    [found] = tmp_path.rglob("*.ckpt")
    return str(found)


def test_two_devices_share_the_tasks_out_and_report_what_one_does(checkpoint):
    arguments = ["rollout", "--ckpt_path", checkpoint, "--episodes", "2", "--workers", "1", "--trainer.accelerator", "cpu"]
    main([*arguments, "--output", "one.json"])
    two = [sys.executable, str(ROOT / "run.py"), *arguments, "--output", "two.json"]
    devices = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*two, *devices], check=True, env=environment, timeout=240, capture_output=True, text=True)
    one, two = (json.loads(Path(name).read_text())["control"] for name in ("one.json", "two.json"))
    assert [score["task"] for score in two] == list(TASKS)
    assert two == one
    assert done.stdout.count("scores written to two.json") == done.stdout.count("classic-control mean") == 1
    assert not list(Path().glob("two.part*")), "nothing is left to go on from"
