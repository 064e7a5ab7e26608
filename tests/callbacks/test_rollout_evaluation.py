"""Rollouts in training: scores by task and domain are logged, a video is recorded, wrong names are found before training."""

import json
import re
from pathlib import Path

import lightning
import pytest
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from callbacks.rollout_evaluation import RolloutEvaluation
from callbacks.run_report import RunReport
from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.errors import UserError
from gato_lightning.model.config import GatoConfig
from gato_lightning.sequences.tasks import FINAL_SEED, ROLLOUT_SEED
from gato_lightning.training.module import GatoModule
from gato_lightning.training.optimizer import OptimizerConfig
from gato_lightning.training.trainer import GatoTrainer
from run import main

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
    assert {"rollout/tasks_above", "final/tasks_above"} <= set(tags["images"])
    assert {"final/interquartile_mean/classic-control", "final/tasks_above_half"} <= set(tags["scalars"])
    rows = (Path(trainer.log_dir) / "episodes.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["cartpole", "classic-control", str(FINAL_SEED + i)] for i in range(3)]
    report = json.loads((Path(trainer.log_dir) / "report.json").read_text())
    assert report["control"][0]["returns"] == rollouts.scores[0].returns
    assert report["summary"]["all"]["episodes"] == 3
    # Each second, by the clock and of CPU, belongs to one part.
    assert list(report["seconds_by_part"]) == list(report["cpu_seconds_by_part"]) == ["collection", "training", "evaluation"]
    assert sum(report["seconds_by_part"].values()) == pytest.approx(report["wall_seconds"], abs=0.3)
    assert min(report["cpu_seconds_by_part"].values()) > 0.0
    assert report["precision"].startswith(trainer.precision)
    # The run as a page: its command line, figure, table, curves and video, and nothing from elsewhere.
    output = tmp_path / "page.html"
    main(["report", trainer.log_dir, trainer.log_dir, "--output", str(output)])
    page = output.read_text()
    assert page.count("data:image/gif;base64,") == 2
    for word in ("cartpole", "train/loss", "interquartile mean", "Gato, figure 5", "JAT 192M"):
        assert word in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    [score] = rollouts.scores
    assert [one.seed for one in score.episodes] == [FINAL_SEED, FINAL_SEED + 1, FINAL_SEED + 2]
    assert ROLLOUT_SEED != FINAL_SEED


def test_a_wrong_task_name_is_found_before_training(tmp_path, cache):
    with pytest.raises(UserError, match=r"cartpool.*did you mean cartpole"):
        fit(tmp_path, cache, RolloutEvaluation(tasks=["cartpool"]))


def test_a_wrong_video_task_is_found_before_training(tmp_path, cache):
    with pytest.raises(UserError, match=r"video_tasks.*cartpool.*did you mean cartpole"):
        fit(tmp_path, cache, RolloutEvaluation(video_tasks=["cartpool"]))


def test_of_many_tasks_some_are_played_at_even_distances(tmp_path):
    def task(env_id):
        return TaskSpec(ClassicControlDataModule(env_id, episodes=1, val_episodes=1, reference_episodes=1, min_score=None))

    names = {"a": "CartPole-v1", "b": "Acrobot-v1", "c": "MountainCar-v0", "d": "CartPole-v1", "e": "CartPole-v1"}
    tasks = {name: task(env_id) for name, env_id in names.items()}
    data = MixtureDataModule(tasks, batch_size=2, context_length=64, cache_dir=str(tmp_path), val_sequences=2, workers=1)
    rollouts = RolloutEvaluation(final_episodes=1, lanes=3, workers=1, max_tasks=3)
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    quiet |= {"num_sanity_val_steps": 0, "default_root_dir": tmp_path}
    trainer = lightning.Trainer(accelerator="cpu", max_steps=1, callbacks=[rollouts], **quiet)
    trainer.fit(GatoModule(TINY, OptimizerConfig(learning_rate=1e-3, warmup_steps=1)), data)
    assert [score.task for score in rollouts.scores] == ["a", "c", "e"]
    with pytest.raises(UserError, match="max_tasks: 0, expected a whole number, 1 or more"):
        RolloutEvaluation(max_tasks=0)


class StopsPlaying(RolloutEvaluation):
    """Is stopped behind so many episodes of the final evaluation, as by a signal."""

    def __init__(self, after: int) -> None:
        super().__init__(final_episodes=4, lanes=1, workers=1)
        self.left = after

    def _stop_if_told(self, trainer) -> None:
        self.left -= 1
        trainer._signal_connector.received_sigterm = self.left == 0
        super()._stop_if_told(trainer)


class Seeds(RolloutEvaluation):
    """Keeps how many episodes were played."""

    played = 0

    def _stop_if_told(self, trainer) -> None:
        self.played += 1


def test_a_run_stopped_in_its_final_evaluation_plays_the_other_episodes_when_resumed(tmp_path, cache):
    def run(rollouts, **resumed):
        data = MixtureDataModule(
            {"cartpole": TaskSpec(ClassicControlDataModule("CartPole-v1", episodes=3, val_episodes=1, reference_episodes=3))},
            batch_size=2,
            context_length=64,
            cache_dir=str(cache),
            val_sequences=2,
            workers=1,
        )
        trainer = GatoTrainer(
            accelerator="cpu",
            precision="32-true",
            max_steps=2,
            logger=TensorBoardLogger(tmp_path),
            callbacks=[rollouts, RunReport(), ModelCheckpoint(every_n_train_steps=1, save_last=True)],
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        lightning.seed_everything(0)
        trainer.fit(GatoModule(TINY, OptimizerConfig(learning_rate=1e-3, warmup_steps=2)), data, **resumed)
        return Path(trainer.log_dir)

    whole = json.loads((run(RolloutEvaluation(final_episodes=4, lanes=1)) / "report.json").read_text())
    with pytest.raises(SystemExit):
        run(StopsPlaying(after=3))
    stopped = tmp_path / "lightning_logs" / "version_1"
    assert not (stopped / "report.json").exists()
    rest = Seeds(final_episodes=4, lanes=1)
    resumed = run(rest, ckpt_path=stopped / "checkpoints" / "last.ckpt")
    assert rest.played == 1
    report = json.loads((resumed / "report.json").read_text())
    assert report["control"] == whole["control"]
    assert report["validation_loss"] == whole["validation_loss"]
    assert not list(tmp_path.glob("**/episodes.part*"))
