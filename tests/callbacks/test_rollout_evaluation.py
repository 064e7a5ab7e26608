"""Rollouts in training: scores by task and domain are logged, a video is recorded, wrong names are found before training."""

import lightning
import pytest
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks.rollout_evaluation import RolloutEvaluation
from callbacks.run_report import RunReport
from datamodules.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.config import GatoConfig
from gato_lightning.errors import UserError
from gato_lightning.module import GatoModule
from gato_lightning.optimizer import OptimizerConfig
from gato_lightning.tasks import FINAL_SEED, ROLLOUT_SEED

TINY = GatoConfig(width=32, depth=1, heads=2, head_size=16, feedforward=64, context_length=64, patch_channels=32)


def fit(folder, cache, *callbacks) -> lightning.Trainer:
    task = ClassicControlDataModule("CartPole-v1", episodes=3, val_episodes=1, reference_episodes=3)
    data = MixtureDataModule(
        {"cartpole": TaskSpec(task)}, batch_size=2, context_length=64, cache_dir=str(cache), val_sequences=2, workers=1
    )
    trainer = lightning.Trainer(
        accelerator="cpu",
        max_steps=4,
        logger=TensorBoardLogger(folder),
        callbacks=list(callbacks),
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    trainer.fit(GatoModule(TINY, OptimizerConfig(learning_rate=1e-3, warmup_steps=2)), data)
    return trainer


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_scores_videos_and_the_report(tmp_path, cache):
    rollouts = RolloutEvaluation(every_n_steps=2, episodes=2, final_episodes=3, lanes=2, video_tasks=["cartpole"])
    trainer = fit(tmp_path, cache, rollouts, RunReport())
    events = EventAccumulator(trainer.log_dir, size_guidance={"images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"rollout/score/cartpole", "rollout/domain/classic-control", "final/score/cartpole", "final/mean_score"} <= set(
        tags["scalars"]
    )
    assert [event.step for event in events.Scalars("rollout/score/cartpole")] == [2]
    assert events.Images("video/cartpole")[0].encoded_image_string.startswith(b"GIF89a")
    assert any("mixture" in tag for tag in tags["tensors"])
    [score] = rollouts.scores
    assert sorted(score.seeds) == [FINAL_SEED, FINAL_SEED + 1, FINAL_SEED + 2]
    assert ROLLOUT_SEED != FINAL_SEED


def test_a_wrong_task_name_is_found_before_training(tmp_path, cache):
    with pytest.raises(UserError, match=r"cartpool.*did you mean cartpole"):
        fit(tmp_path, cache, RolloutEvaluation(tasks=["cartpool"]))
