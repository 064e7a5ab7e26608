"""Models of Stable-Baselines3 and sb3-contrib as policies."""

import importlib
import importlib.util
import json
import multiprocessing
import zipfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch

from datamodules.control.experts.vec_normalize import VecNormalize, statistics_beside
from gato_lightning.errors import UserError

# The package of each algorithm.
PACKAGES = {
    **dict.fromkeys(("PPO", "A2C", "DQN", "SAC", "TD3"), "stable_baselines3"),
    **dict.fromkeys(("ARS", "CrossQ", "MaskablePPO", "QRDQN", "RecurrentPPO", "TQC", "TRPO"), "sb3_contrib"),
}
_INSTALLED_AS = {"stable_baselines3": "Stable-Baselines3", "sb3_contrib": "sb3-contrib"}
# Modules whose policies belong to a single algorithm. DDPG is TD3 with other settings, and acts in the same way.
_BY_POLICY = {
    **{f"stable_baselines3.{name.lower()}.policies": name for name in ("DQN", "SAC", "TD3")},
    **{f"sb3_contrib.{name.lower()}.policies": name for name in ("ARS", "CrossQ", "QRDQN", "TQC")},
    "sb3_contrib.common.maskable.policies": "MaskablePPO",
    "sb3_contrib.common.recurrent.policies": "RecurrentPPO",
}
# Settings that identify the algorithm if the policy's class does not, because several share it or it is the user's own. The
# first entry whose settings are all in a file decides.
_BY_SETTINGS = {
    ("cg_max_steps",): "TRPO",
    ("n_delta",): "ARS",
    ("n_quantiles",): "QRDQN",
    ("exploration_initial_eps",): "DQN",
    ("top_quantiles_to_drop_per_net",): "TQC",
    ("target_entropy", "policy_delay"): "CrossQ",
    ("target_entropy",): "SAC",
    ("policy_delay",): "TD3",
    ("clip_range",): "PPO",
    ("gae_lambda",): "A2C",
}


class StableBaselines:
    """A policy that acts greedily by a saved model, which the acting process loads before its first action.

    Observations are normalised by the VecNormalize statistics beside the file, see `statistics_beside`.

    Args:
        file: file written by the model's `save`.

    Attributes:
        files: the file of the model, and that of the statistics if there is one.

    Raises:
        UserError: if there is no such file, it is not such a model, its package is not installed, or several files of
            statistics are beside it.
    """

    def __init__(self, file: str) -> None:
        path = Path(file)
        try:
            self.algorithm = algorithm(json.loads(zipfile.ZipFile(path).read("data")))
        except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"policy {file}: not a Stable-Baselines3 model ({error})") from error
        if self.algorithm is None:
            raise UserError(f"policy {file}: a model of an unknown algorithm; known: {', '.join(sorted(PACKAGES))}")
        package = PACKAGES[self.algorithm]
        if importlib.util.find_spec(package) is None:
            needed = f"needs {_INSTALLED_AS[package]}; install it with the extra 'sb3' of this project"
            raise UserError(f"policy {file}: a model of {self.algorithm}, {needed}")
        beside = statistics_beside(path)
        self.statistics = VecNormalize(beside) if beside else None
        self.files = [path, beside] if beside else [path]

    def __call__(self, env: gymnasium.Env) -> Callable[[Any], Any]:
        """Returns the function that acts in the episode that has just begun."""
        if self.statistics:
            self.statistics.check(env.observation_space)
        if self.algorithm == "MaskablePPO" and not env.has_wrapper_attr("action_masks"):
            raise UserError(f"policy {self.files[0]}: a MaskablePPO, but the environment has no `action_masks`")
        state: Any = None  # state of a recurrent policy

        def act(observation: Any) -> Any:
            nonlocal state
            first = np.array([state is None])
            masks = {"action_masks": env.get_wrapper_attr("action_masks")()} if self.algorithm == "MaskablePPO" else {}
            seen = self.statistics(observation) if self.statistics else observation
            action, state = self._model.predict(seen, state, first, deterministic=True, **masks)
            return action

        return act

    @cached_property
    def _model(self) -> Any:
        if multiprocessing.parent_process() is not None:
            torch.set_num_threads(1)  # torch's threads do not survive a fork
        assert self.algorithm is not None
        package = importlib.import_module(PACKAGES[self.algorithm])
        return getattr(package, self.algorithm).load(self.files[0], device="cpu")


def algorithm(settings: dict[str, Any]) -> str | None:
    """Returns the algorithm of a file's settings, found by the class of its policy; None if it is not in `PACKAGES`.

    Args:
        settings: the JSON of the file. It contains classes by name and pickled; only the names are read.
    """
    module = settings["policy_class"]["__module__"]
    if module in _BY_POLICY:
        return _BY_POLICY[module]
    shared = module == "stable_baselines3.common.policies"
    if not shared and module.startswith(("stable_baselines3.", "sb3_contrib.")):
        return None
    told = next((name for marks, name in _BY_SETTINGS.items() if settings.keys() >= set(marks)), None)
    if told != "PPO" or shared:
        return told
    # MaskablePPO and RecurrentPPO have the settings of PPO but other buffers; RecurrentPPO does not save its buffer's name.
    buffer = settings["rollout_buffer_class"]
    return "RecurrentPPO" if buffer is None else "MaskablePPO" if "maskable" in buffer["__module__"] else "PPO"
