"""Training of an expert by rl-baselines3-zoo: with checkpoints to go on from, and evaluations that find the best policy."""

import json
import shutil
from argparse import Namespace
from pathlib import Path
from typing import Any

import yaml
from rl_zoo3 import ALGOS
from rl_zoo3.exp_manager import ExperimentManager
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback, ProgressBarCallback
from stable_baselines3.common.vec_env import VecNormalize

from datamodules.control.experts.network_policy import NetworkPolicy
from datamodules.control.training.export import exported
from gato_lightning.errors import UserError, said

EVALUATIONS = 20  # in a training; the best policy of them becomes the expert
EVALUATION_EPISODES = 10
CHECKPOINTS = 50


class ExpertTraining:
    """One training of one algorithm on one environment, in a folder of its own.

    The folder holds the settings, TensorBoard's events, the latest checkpoint and the best model; a training that was stopped
    goes on from the checkpoint.

    Args:
        env_id: name that Gymnasium knows.
        algo: algorithm of Stable-Baselines3 or sb3-contrib, in small letters.
        settings: settings in the zoo's format.
        timesteps: timesteps of the environment to train for, 1 or more.
        seed: seed of the networks and environments, 0 or more.
        env_kwargs: arguments of the environment's constructor.
        folder: where all of it is kept.
    """

    def __init__(
        self,
        env_id: str,
        algo: str,
        settings: dict[str, Any],
        timesteps: int,
        seed: int,
        env_kwargs: dict[str, Any],
        folder: Path,
    ) -> None:
        self.env_id, self.algo, self.timesteps, self.folder = env_id, algo, timesteps, folder
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "settings.yml").write_text(yaml.safe_dump({env_id: settings}), encoding="utf-8")
        checkpoint = self._checkpoint()
        self.zoo = ExperimentManager(
            Namespace(),
            algo,
            env_id,
            str(folder),
            tensorboard_log=str(folder / "tensorboard"),
            n_timesteps=timesteps,
            eval_freq=-1,
            env_kwargs=env_kwargs,
            trained_agent=str(checkpoint / "model.zip") if checkpoint else "",
            seed=seed,
            verbose=0,
            device="cpu",
            config=str(folder / "settings.yml"),
        )
        self.zoo.save_path = str(folder)
        self.zoo.params_path = str(folder / self.zoo.env_name)

    def run(self) -> NetworkPolicy:
        """Trains, with a progress bar, and returns the best policy.

        Raises:
            UserError: the algorithm does not take such spaces or settings.
        """
        try:
            found = self.zoo.setup_experiment()
        except (AssertionError, TypeError, ValueError) as error:
            raise UserError(f"{self.algo} cannot be trained on {self.env_id} with these settings: {said(error)}") from error
        assert found is not None
        model, _ = found
        left = self.timesteps - model.num_timesteps
        if left > 0:
            evaluation = self._evaluation(model)
            callbacks = [ProgressBarCallback(), evaluation, _Checkpoint(self, evaluation)]
            model.learn(left, callback=callbacks, reset_num_timesteps=model.num_timesteps == 0)
        return self._best()

    def _evaluation(self, model: BaseAlgorithm) -> EvalCallback:
        every = max(self.timesteps // EVALUATIONS // model.n_envs, 1)
        env = self.zoo.create_envs(1, eval_env=True, no_log=True)
        evaluation = EvalCallback(
            env, callback_on_new_best=_Keep(self), n_eval_episodes=EVALUATION_EPISODES, eval_freq=every, verbose=0
        )
        if (checkpoint := self._checkpoint()) is not None:
            evaluation.best_mean_reward = json.loads((checkpoint / "state.json").read_text())["best_mean_reward"]
        return evaluation

    def save(self, model: BaseAlgorithm, name: str, best: float) -> None:
        """Writes a model, with all that it needs, as a folder; whole or not at all."""
        target, partial = self.folder / name, self.folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        (partial / self.zoo.env_name).mkdir(parents=True)
        model.save(partial / "model.zip")
        if (statistics := model.get_vec_normalize_env()) is not None:
            statistics.save(str(partial / self.zoo.env_name / "vecnormalize.pkl"))
        if name != "best" and hasattr(model, "save_replay_buffer"):
            model.save_replay_buffer(partial / "replay_buffer.pkl")
        (partial / "state.json").write_text(json.dumps({"best_mean_reward": best}))
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)

    def _checkpoint(self) -> Path | None:
        """The latest checkpoint; the one before, where a kill came between two."""
        found = [self.folder / name for name in ("checkpoint", "checkpoint.partial")]
        return next((path for path in found if (path / "state.json").exists()), None)

    def _best(self) -> NetworkPolicy:
        model = ALGOS[self.algo].load(self.folder / "best" / "model.zip", device="cpu")
        path = self.folder / "best" / self.zoo.env_name / "vecnormalize.pkl"
        statistics = (
            VecNormalize.load(str(path), self.zoo.create_envs(1, eval_env=True, no_log=True)) if path.exists() else None
        )
        return exported(model, statistics)


class _Keep(BaseCallback):
    """Keeps the model that an evaluation found the best."""

    def __init__(self, training: ExpertTraining) -> None:
        super().__init__()
        self.training = training

    def _on_step(self) -> bool:
        assert isinstance(self.parent, EvalCallback)
        self.training.save(self.model, "best", float(self.parent.best_mean_reward))
        return True


class _Checkpoint(BaseCallback):
    """Keeps the latest model, so that a training can go on."""

    def __init__(self, training: ExpertTraining, evaluation: EvalCallback) -> None:
        super().__init__()
        self.training, self.evaluation = training, evaluation
        self.next = 0

    def _on_training_start(self) -> None:
        self._plan()

    def _on_rollout_start(self) -> None:
        if self.num_timesteps >= self.next:
            self._save()
            self._plan()

    def _on_step(self) -> bool:
        return True

    def _on_training_end(self) -> None:
        self._save()

    def _plan(self) -> None:
        self.next = self.num_timesteps + max(self.training.timesteps // CHECKPOINTS, 1)

    def _save(self) -> None:
        self.training.save(self.model, "checkpoint", float(self.evaluation.best_mean_reward))
