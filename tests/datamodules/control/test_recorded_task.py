"""Recorded tasks: acting where the environment is elsewhere, and bounds that a checkpoint and an export keep."""

import numpy as np
import pytest

from datamodules.control.column_ranges import ActionScaling
from datamodules.control.recorded.episodes import EpisodesDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.errors import UserError
from gato_lightning.model.checkpoint import load_checkpoint
from gato_lightning.training.export import export_run
from tests.tiny_runs import module, trainer


def write(folder, episodes=4, scale=1.0):
    folder.mkdir(exist_ok=True)
    for seed in range(episodes):
        rng = np.random.default_rng(seed)
        np.savez(folder / f"{seed}.npz", state=rng.normal(size=(6, 2)), action=scale * rng.normal(size=(6, 2)))
    return folder


def mixture(folder, cache, **settings):
    tasks = {"robot": TaskSpec(EpisodesDataModule(str(folder), val_episodes=1, **settings))}
    return MixtureDataModule(tasks, batch_size=2, context_length=64, cache_dir=str(cache), val_sequences=2, workers=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder of the data, the mixture, and a checkpoint."""
    root = tmp_path_factory.mktemp("run")
    data = mixture(write(root / "data", scale=50.0), root / "cache")
    run = trainer(root, max_steps=1)
    run.fit(module(), datamodule=data)
    run.save_checkpoint(root / "last.ckpt")
    return root / "data", data, root / "last.ckpt"


def test_the_checkpoint_knows_the_bounds(trained):
    _, data, path = trained
    stored = load_checkpoint(path)["gato_lightning"]["action_bounds"]
    space = data.tasks["robot"].datamodule.action_space
    np.testing.assert_allclose(stored["robot"]["action"], [space.low, space.high], rtol=1e-6)


def test_a_checkpoint_with_other_bounds_is_refused_and_says_how_to_keep_them(trained, tmp_path):
    _, _, path = trained
    other = write(tmp_path / "data", scale=10.0)
    run = trainer(tmp_path, max_steps=2)
    with pytest.raises(UserError, match=r"task robot: action was scaled from .* keep the former by `scaling: \{low: \["):
        run.fit(module(), datamodule=mixture(other, tmp_path / "cache"), ckpt_path=path)
    low, high = load_checkpoint(path)["gato_lightning"]["action_bounds"]["robot"]["action"]
    kept = mixture(other, tmp_path / "cache", scaling=ActionScaling(low=low, high=high))
    trainer(tmp_path, max_steps=2).fit(module(), datamodule=kept, ckpt_path=path)


def test_an_export_acts_in_the_units_of_the_data(trained, tmp_path):
    _, data, path = trained
    assert data.control_tasks() == {}
    export_run(tmp_path / "robot", load_checkpoint(path), data.acting_tasks(), "", None)
    agent = GatoAgent.from_pretrained(tmp_path / "robot")
    agent.reset("robot")
    space = data.tasks["robot"].datamodule.action_space
    actions = np.array([agent.select_action(np.zeros(2, np.float32)) for _ in range(5)])
    assert all(action in space for action in actions.astype(np.float32))
    assert np.abs(actions).max() > 5.0
