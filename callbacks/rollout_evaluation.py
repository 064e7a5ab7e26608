"""Rollouts in the real environments, while training and at the end."""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.utilities.exceptions import SIGTERMException
from rich.console import Console

from callbacks.scoring.held_out_text import evenly
from gato_lightning.acting.agent import ActingSettings
from gato_lightning.common.ranks import together
from gato_lightning.common.settings import NonNegativeInt, PositiveFloat, PositiveInt, check_settings
from gato_lightning.errors import unknown
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.episode_log import EpisodeLog
from gato_lightning.evaluation.figures import tasks_above_figure
from gato_lightning.evaluation.report import Findings, score_tables, write_csv
from gato_lightning.evaluation.rollout import evaluate_tasks, gather_scores
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore, by_domain, interquartile_mean, mean_score, tasks_above
from gato_lightning.sequences.tasks import FINAL_SEED, ROLLOUT_SEED, ControlTask
from gato_lightning.training.progress_bar import progress_of
from gato_lightning.training.run_folder import run_folders


class RolloutEvaluation(Callback):
    """Plays the control tasks, logs normalised scores by task and domain, a figure of them, and videos of chosen tasks.

    While training it plays `episodes` episodes on seeds of their own; at the end `final_episodes` on seeds that nothing was
    chosen by. Ranks share the tasks out. An episode that fails is counted; none ends the training.

    Args:
        every_n_steps: steps between evaluations, 0 or more; 0: only at the end.
        episodes: a task, while training; 1 or more.
        final_episodes: a task, at the end of `fit`, 0 or more; 0: none.
        tasks: names; null: all with an environment.
        max_tasks: of these, at most so many, 1 or more, at even distances; null: all.
        lanes: most environments at once, of whatever tasks; 1 or more.
        acting: how to act.
        video_tasks: names of the tasks whose first episode at the end is recorded.
        workers: processes that the environments live in, on each rank, 1 or more; null: one a core.
        time_limit: seconds that an environment may take for a reset or a step, above 0.
    """

    def __init__(
        self,
        every_n_steps: NonNegativeInt = 0,
        episodes: PositiveInt = 5,
        final_episodes: NonNegativeInt = 20,
        tasks: list[str] | None = None,
        lanes: PositiveInt = 32,
        acting: ActingSettings | None = None,
        video_tasks: list[str] | None = None,
        workers: PositiveInt | None = None,
        time_limit: PositiveFloat = 60.0,
        max_tasks: PositiveInt | None = None,
    ) -> None:
        check_settings(locals(), RolloutEvaluation)
        self.every_n_steps, self.episodes, self.final_episodes = every_n_steps, episodes, final_episodes
        self.tasks, self.max_tasks, self.lanes, self.acting = tasks, max_tasks, lanes, acting or ActingSettings()
        self.video_tasks = video_tasks or []
        self.workers, self.time_limit = workers, time_limit
        self.scores: list[TaskScore] = []
        self._environments: Environments | None = None
        self._last = self._first_step = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finds wrong task names before anything is trained."""
        with together():
            known = self._control_tasks(trainer)
            for name in self.video_tasks:
                if name not in known:
                    raise unknown("task in video_tasks", name, known)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._last = self._first_step = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        step = trainer.global_step
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self._last and step < trainer.max_steps:
            self._last = step
            self._evaluate(trainer, pl_module, "rollout", ROLLOUT_SEED, self.episodes, record=[])

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.final_episodes:
            folder = trainer.log_dir  # of all ranks: asking for it makes them talk to each other
            with together():
                log = self._final_log(trainer, Path(folder)) if folder else None
            self.scores = self._evaluate(trainer, pl_module, "final", FINAL_SEED, self.final_episodes, self.video_tasks, log)
            with together():
                if trainer.is_global_zero:
                    Console().print(score_tables(self.scores))
                    if folder:
                        write_csv(Path(folder) / "episodes.csv", self.scores)
            if log:
                log.remove()
        self._close()

    def _final_log(self, trainer: Trainer, folder: Path) -> EpisodeLog:
        """The log of this rank's last episodes; of a run whose steps were all done before, it has those that were played."""
        log = folder / f"episodes.part{trainer.global_rank}"
        if trainer.ckpt_path and self._first_step == trainer.global_step:
            for earlier in run_folders(str(trainer.ckpt_path)):
                if (earlier / log.name).exists() and earlier != folder.absolute():
                    shutil.move(earlier / log.name, log)
        same = {"step": trainer.global_step, "acting": asdict(self.acting), "seed": FINAL_SEED, "ranks": trainer.world_size}
        return EpisodeLog(log, same)

    def findings(self) -> Findings:
        """The scores at the end of the fit."""
        return Findings(scores=self.scores)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self._environments is not None:
            self._environments.close()
            self._environments = None

    def _stop_if_told(self, trainer: Trainer) -> None:
        """Ends the evaluation where the process got SIGTERM, which Lightning looks for between steps only."""
        if trainer.received_sigterm:
            raise SIGTERMException

    def _control_tasks(self, trainer: Trainer) -> dict[str, ControlTask]:
        tasks: dict[str, ControlTask] = trainer.datamodule.control_tasks(self.tasks)  # type: ignore[attr-defined]
        names = list(tasks)
        return {names[i]: tasks[names[i]] for i in evenly(len(names), self.max_tasks or len(names))}

    def _evaluate(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        tag: str,
        first_seed: int,
        episodes: int,
        record: list[str],
        episode_log: EpisodeLog | None = None,
    ) -> list[TaskScore]:
        """Plays this rank's tasks; every rank gets all scores."""
        training = pl_module.training
        pl_module.eval()
        # The same arithmetic as in training; sampling draws from generators of its own.
        with together(), torch.inference_mode(), trainer.precision_plugin.forward_context():
            tasks = list(self._control_tasks(trainer).values())[trainer.global_rank :: trainer.world_size]
            if self._environments is None:
                self._environments = Environments(tasks, self.lanes, self.workers, self.time_limit)
            with progress_of(trainer, "Playing", len(tasks) * episodes) as advance:

                def on_episode(task: str, episode: EpisodeResult) -> None:
                    if episode_log:
                        episode_log.add(task, episode)
                    advance()
                    self._stop_if_told(trainer)

                scores = evaluate_tasks(
                    pl_module.model,
                    tasks,
                    first_seed,
                    episodes,
                    self._environments,
                    self.acting,
                    record,
                    on_episode,
                    episode_log.done if episode_log else {},
                )
        pl_module.train(training)
        scores = gather_scores(scores)
        with together():
            for logger in trainer.loggers:
                _log(logger, scores, tag, trainer.global_step)
        return scores


def _log(logger: Any, scores: list[TaskScore], tag: str, step: int) -> None:
    """Scores, the figure of them and videos; on other ranks than the first, loggers do nothing."""
    logger.log_metrics(_metrics(scores, tag), step)
    if hasattr(logger.experiment, "add_figure"):
        logger.experiment.add_figure(f"{tag}/tasks_above", tasks_above_figure(scores), step)
    for score in scores:
        if score.video is not None and hasattr(logger.experiment, "add_image"):
            score.video.add_to(logger.experiment, f"video/{score.task}", step)


def _metrics(scores: list[TaskScore], tag: str) -> dict[str, float]:
    """Scores by task, by domain, and of all."""
    metrics = {f"{tag}/score/{score.task}": score.score for score in scores}
    metrics |= {f"{tag}/return/{score.task}": score.mean_return for score in scores}
    for domain, part in by_domain(scores).items():
        middle = interquartile_mean(part)
        metrics[f"{tag}/domain/{domain}"] = mean_score(part)
        metrics[f"{tag}/interquartile_mean/{domain}"] = None if middle is None else middle.value
    metrics[f"{tag}/mean_score"] = mean_score(scores)
    metrics[f"{tag}/tasks_above_half"] = float(tasks_above(scores, [50])[0])
    metrics[f"{tag}/failed_episodes"] = float(sum(len(score.failures) for score in scores))
    return {name: value for name, value in metrics.items() if value is not None}
