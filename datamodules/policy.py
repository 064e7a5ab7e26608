"""Any Gymnasium environment with any policy for it, by their names."""

import hashlib
import importlib
import importlib.util
import json
import multiprocessing
import zipfile
from collections.abc import Callable, Collection
from functools import cached_property
from typing import Any, ClassVar

import cloudpickle
import gymnasium
import torch

from datamodules.control import Expert
from datamodules.gym_suite import GymDataModule
from gato_lightning.errors import UserError


class PolicyDataModule(GymDataModule):
    """An environment that `gymnasium.make` knows, shown by the user's policy.

    Args:
        env_id: Gymnasium's name of the environment, such as `CartPole-v1`, or `package:Name-v0`, which imports the package.
        policy: `package.module:name` of a function from observation to action, or of a class that is made with the environment
            after each reset and then called so; or the file of a Stable-Baselines3 model. Loading such a file runs what is in
            it, so use only files that you trust. In Python, the function or class itself.
        kwargs: of `GymDataModule`.

    Raises:
        UserError: an environment or a policy that cannot be found.
    """

    domain = "gymnasium"

    def __init__(self, env_id: str, policy: str | Callable[..., Any], **kwargs: Any) -> None:
        package, _, _ = env_id.rpartition(":")
        if package:
            _imported(package, f"environment '{env_id}'")
        super().__init__(env_id=env_id.rpartition(":")[2], **kwargs)
        self.policy = find_policy(policy) if isinstance(policy, str) else policy
        self._name = policy if isinstance(policy, str) else getattr(policy, "__qualname__", type(policy).__qualname__)

    @property
    def expert_name(self) -> str:
        return self._name

    def env_ids(self) -> Collection[str]:
        return gymnasium.registry

    def settings(self) -> dict[str, Any]:
        """The arguments; a policy without a name to import it by is known by all that it consists of."""
        named = self.hparams["policy"]
        told = named if isinstance(named, str) else hashlib.sha256(cloudpickle.dumps(named)).hexdigest()
        return {**super().settings(), "policy": told}

    def make_expert(self, env: gymnasium.Env) -> Expert:
        act = self.policy(env) if isinstance(self.policy, type) else self.policy
        return lambda observation, executed: act(observation)


class StableBaselines:
    """A model of Stable-Baselines3 that acts greedily; read from its file at the first action, in the process that acts.

    Args:
        file: what the model's `save` wrote.

    Raises:
        UserError: there is no such file, it is no such model, or Stable-Baselines3 is not installed.
    """

    # The settings by which a file tells its algorithm; the first that it has decides.
    ALGORITHMS: ClassVar[dict[str, str]] = {
        "clip_range": "PPO",
        "exploration_initial_eps": "DQN",
        "target_entropy": "SAC",
        "policy_delay": "TD3",
        "gae_lambda": "A2C",
    }

    def __init__(self, file: str) -> None:
        self.file = file
        try:
            settings = json.loads(zipfile.ZipFile(file).read("data"))
        except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
            raise UserError(f"policy {file}: no model of Stable-Baselines3 ({error})") from error
        known = [name for setting, name in self.ALGORITHMS.items() if setting in settings]
        if not known:
            raise UserError(f"policy {file}: a model of an unknown algorithm; known: {', '.join(self.ALGORITHMS.values())}")
        self.algorithm = known[0]
        if importlib.util.find_spec("stable_baselines3") is None:
            raise UserError(f"policy {file}: needs Stable-Baselines3; install it with the extra 'sb3' of this project")

    def __call__(self, observation: Any) -> Any:
        return self._model.predict(observation, deterministic=True)[0]

    @cached_property
    def _model(self) -> Any:
        if multiprocessing.parent_process() is not None:
            torch.set_num_threads(1)  # the threads of torch do not survive a fork
        return getattr(importlib.import_module("stable_baselines3"), self.algorithm).load(self.file, device="cpu")


def find_policy(name: str) -> Callable[..., Any]:
    """A policy by its name.

    Args:
        name: `package.module:name`, or a file of Stable-Baselines3.

    Raises:
        UserError: there is none of that name.
    """
    if name.endswith(".zip"):
        return StableBaselines(name)
    package, _, attribute = name.partition(":")
    if not attribute:
        raise UserError(f"policy '{name}': expected package.module:name, or the .zip file of a Stable-Baselines3 model")
    found = getattr(_imported(package, f"policy '{name}'"), attribute, None)
    if not callable(found):
        raise UserError(f"policy '{name}': {package} has no function or class '{attribute}'")
    return found


def _imported(package: str, what: str) -> Any:
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise UserError(f"{what}: {error}") from error
