"""An expert's training in its folder: what is kept there, whole or not at all."""

import pytest

pytest.importorskip("rl_zoo3", reason="the extra experts is not installed")

from datamodules.control.training.trainer import ExpertTraining
from gato_lightning.errors import UserError

SETTINGS = {"policy": "MlpPolicy", "n_envs": 2, "n_steps": 32, "batch_size": 64, "n_timesteps": 128, "normalize": True}


@pytest.fixture(autouse=True)
def few_evaluations(monkeypatch):
    monkeypatch.setattr("datamodules.control.training.trainer.EVALUATIONS", 2)
    monkeypatch.setattr("datamodules.control.training.trainer.EVALUATION_EPISODES", 2)


def training(folder, **changed) -> ExpertTraining:
    return ExpertTraining("CartPole-v1", "ppo", {**SETTINGS, **changed}, 128, 0, {}, folder)


def test_the_folder_holds_settings_checkpoint_and_the_best_model_with_its_statistics(tmp_path):
    policy = training(tmp_path).run()
    assert policy.mean is not None
    assert policy.output == "argmax"
    for name in ("checkpoint", "best"):
        assert (tmp_path / name / "model.zip").exists()
        assert (tmp_path / name / "CartPole-v1" / "vecnormalize.pkl").exists()
        assert not (tmp_path / f"{name}.partial").exists()
    assert "n_steps: 32" in (tmp_path / "settings.yml").read_text()


def test_a_finished_training_is_not_trained_again(tmp_path):
    training(tmp_path).run()
    before = (tmp_path / "checkpoint" / "model.zip").read_bytes()
    training(tmp_path).run()
    assert (tmp_path / "checkpoint" / "model.zip").read_bytes() == before


def test_settings_that_the_algorithm_does_not_take_are_told(tmp_path):
    with pytest.raises(UserError, match=r"ppo cannot be trained on CartPole-v1 .*n_stepz"):
        training(tmp_path, n_stepz=3).run()
