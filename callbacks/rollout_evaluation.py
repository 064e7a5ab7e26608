"""Rollouts in the real environments, while training and at the end."""

import logging
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console

from gato_lightning.policy import ActingSettings
from gato_lightning.report import by_domain, score_table
from gato_lightning.rollout import Environments, TaskScore, evaluate_tasks, mean_score
from gato_lightning.tasks import FINAL_SEED, ROLLOUT_SEED, ControlTask
from gato_lightning.video import record_gif

log = logging.getLogger(__name__)


class RolloutEvaluation(Callback):
    """Plays the control tasks, logs normalised scores by task and domain, and videos of chosen tasks.

    While training it plays `episodes` episodes on seeds of their own; at the end `final_episodes` on seeds that nothing was
    chosen by. Ranks share the tasks out.

    Args:
        every_n_steps: steps between evaluations; 0: only at the end.
        episodes: a task, while training.
        final_episodes: a task, at the end of `fit`; 0: none.
        tasks: names; null: all with an environment.
        lanes: most environments at once.
        acting: how to act.
        video_tasks: names of the tasks whose first episode at the end is recorded.
    """

    def __init__(
        self,
        every_n_steps: int = 0,
        episodes: int = 5,
        final_episodes: int = 20,
        tasks: list[str] | None = None,
        lanes: int = 10,
        acting: ActingSettings | None = None,
        video_tasks: list[str] | None = None,
    ) -> None:
        self.every_n_steps, self.episodes, self.final_episodes = every_n_steps, episodes, final_episodes
        self.tasks, self.lanes, self.acting = tasks, lanes, acting or ActingSettings()
        self.video_tasks = video_tasks or []
        self.scores: list[TaskScore] = []
        self._environments = Environments()
        self._last = 0

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Finds wrong task names before anything is trained."""
        self._control_tasks(trainer)
        self._last = trainer.global_step

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        step = trainer.global_step
        if self.every_n_steps and step % self.every_n_steps == 0 and step != self._last and step < trainer.max_steps:
            self._last = step
            self._evaluate(trainer, pl_module, "rollout", ROLLOUT_SEED, self.episodes)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.final_episodes:
            self.scores = self._evaluate(trainer, pl_module, "final", FINAL_SEED, self.final_episodes)
            if trainer.is_global_zero:
                Console().print(score_table(self.scores))
            self._record_videos(trainer, pl_module)
        self._environments.close()

    def _control_tasks(self, trainer: Trainer) -> dict[str, ControlTask]:
        tasks: dict[str, ControlTask] = trainer.datamodule.control_tasks(self.tasks)  # type: ignore[attr-defined]
        return tasks

    def _evaluate(
        self, trainer: Trainer, pl_module: LightningModule, tag: str, first_seed: int, episodes: int
    ) -> list[TaskScore]:
        """Plays this rank's tasks; every rank gets all scores."""
        tasks = list(self._control_tasks(trainer).values())[trainer.global_rank :: trainer.world_size]
        training = pl_module.training
        pl_module.eval()
        # The same arithmetic as in training; sampling draws from generators of its own.
        with torch.inference_mode(), trainer.precision_plugin.forward_context():
            scores = evaluate_tasks(pl_module.model, tasks, first_seed, episodes, self.lanes, self.acting, self._environments)
        pl_module.train(training)
        if trainer.world_size > 1:
            gathered: list[list[TaskScore]] = [[] for _ in range(trainer.world_size)]
            torch.distributed.all_gather_object(gathered, scores)
            scores = [score for part in gathered for score in part]
        for logger in trainer.loggers:
            logger.log_metrics(_metrics(scores, tag), trainer.global_step)
        return scores

    def _record_videos(self, trainer: Trainer, pl_module: LightningModule) -> None:
        tasks = {name: task for name, task in self._control_tasks(trainer).items() if name in self.video_tasks}
        if not trainer.is_global_zero:
            return
        for name, task in tasks.items():
            try:
                with torch.inference_mode(), trainer.precision_plugin.forward_context():
                    gif = record_gif(pl_module.model.eval(), task, FINAL_SEED, self.acting)
                for logger in trainer.loggers:
                    if hasattr(logger.experiment, "add_image"):
                        gif.add_to(logger.experiment, f"video/{name}", trainer.global_step)
            except Exception:
                log.exception("video of task %s failed", name)


def _metrics(scores: list[TaskScore], tag: str) -> dict[str, float]:
    """Scores by task, by domain, and the mean."""
    metrics = {f"{tag}/score/{score.task}": score.score for score in scores}
    metrics |= {f"{tag}/return/{score.task}": score.mean_return for score in scores}
    metrics |= {f"{tag}/domain/{domain}": mean_score(part) for domain, part in by_domain(scores).items()}
    metrics[f"{tag}/mean_score"] = mean_score(scores)
    return {name: value for name, value in metrics.items() if value is not None}
