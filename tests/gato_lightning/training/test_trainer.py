"""The trainer: what it adds to Lightning's, and rollouts that are refused before anything is played."""

import pytest
from lightning.pytorch import Callback

from gato_lightning.errors import UserError
from gato_lightning.training.last_checkpoint import LastCheckpoint
from gato_lightning.training.trainer import GatoTrainer
from tests import tiny_runs


@pytest.fixture
def trainer(tmp_path) -> GatoTrainer:
    settings = {"logger": False, "enable_model_summary": False, "accelerator": "cpu", "precision": "32-true"}
    return GatoTrainer(max_steps=1, default_root_dir=tmp_path, callbacks=[Callback()], **settings)


def test_the_last_checkpoint_is_written_before_any_other_callback_acts(trainer):
    assert isinstance(trainer.callbacks[0], LastCheckpoint)


def test_the_choice_of_precision_is_told(trainer):
    assert trainer.precision_choice.precision == "32-true"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "rollout needs --ckpt_path"),
        ({"ckpt_path": "a.ckpt", "output": "scores.txt"}, r"--output scores\.txt: expected the name of a \.json file"),
        ({"ckpt_path": "a.ckpt", "episodes": 0}, "episodes"),
        ({"ckpt_path": "a.ckpt", "time_limit": -1.0}, "time_limit"),
    ],
)
def test_a_rollout_is_refused_before_anything_is_read(trainer, settings, message):
    with pytest.raises(UserError, match=message):
        trainer.rollout(None, None, **settings)


def test_prepare_makes_the_stores_of_the_chosen_tasks_and_leaves_those_that_are_there(trainer, tmp_path, capsys):
    mixture, model = tiny_runs.data(tmp_path / "data"), tiny_runs.module()
    trainer.prepare(model, mixture, tasks="pendulum")
    assert "stores of 1 tasks are ready" in capsys.readouterr().out
    stores = sorted((tmp_path / "data").glob("*/meta.json"))
    assert {path.parent.name.partition("-")[0] for path in stores} == {"pendulum"}
    written = [path.stat().st_mtime_ns for path in stores]
    trainer.prepare(model, mixture, tasks="pendulum")
    assert [path.stat().st_mtime_ns for path in stores] == written
