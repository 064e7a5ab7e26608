"""Every kind of action goes all the way: collected, trained on and played."""

from pathlib import Path

import lightning
import numpy as np

from datamodules.collecting.collect_command import run
from datamodules.collecting.demonstrations import Plan
from datamodules.control.minari_dataset import MinariDataModule
from datamodules.control.suites import Task
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.rollout import evaluate_tasks
from gato_lightning.model.config import GatoConfig
from gato_lightning.training.module import GatoModule
from tests.datamodules.echo_env import LENGTH, SPACES

ECHO = {"env_id": "tests.datamodules.echo_env:own/Echo-v0", "policy": "tests.datamodules.echo_env:repeat"}


def plan(kind: str, root: Path) -> Plan:
    arguments = {**ECHO, "env_kwargs": {"kind": kind}}
    return Plan(Task(kind, "own", "own", "datamodules.PolicyDataModule", arguments), 4, 0, None, root)


def test_actions_of_every_kind_are_collected_trained_on_and_played(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    run([plan(kind, tmp_path) for kind in SPACES], 1)
    tasks = {kind: TaskSpec(MinariDataModule(f"{kind}/expert-v0", val_episodes=1)) for kind in SPACES}
    data = MixtureDataModule(
        tasks, batch_size=4, context_length=64, cache_dir=str(tmp_path / "cache"), val_sequences=4, workers=1
    )
    sizes = {"width": 32, "depth": 1, "heads": 2, "head_size": 16, "feedforward": 64, "patch_channels": 32}
    module = GatoModule(GatoConfig(**sizes, context_length=64))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    lightning.Trainer(accelerator="cpu", max_steps=2, num_sanity_val_steps=0, **quiet).fit(module, data)
    control = data.control_tasks()
    environments = Environments(control.values(), lanes=8, workers=2)
    try:
        scores = evaluate_tasks(module.model.eval(), control.values(), 100, 3, environments)
    finally:
        environments.close()
    for score in scores:
        assert [episode.failure for episode in score.episodes] == [""] * 3, score.task
        assert {episode.length for episode in score.episodes} == {LENGTH}
        assert np.isfinite(score.returns).all()
        assert control[score.task].expert.mean == LENGTH
