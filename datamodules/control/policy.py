"""Any Gymnasium environment with any policy for it, by their names."""

import hashlib
import importlib
from collections.abc import Callable, Collection
from typing import Any

import cloudpickle
import gymnasium

from datamodules.control.expert_task import Expert
from datamodules.control.experts.stable_baselines import StableBaselines
from datamodules.control.gym_suite import GymDataModule
from gato_lightning.errors import UserError, unknown


class PolicyDataModule(GymDataModule):
    """An environment that `gymnasium.make` knows, shown by the user's policy.

    Args:
        env_id: Gymnasium's name of the environment, such as `CartPole-v1`, or `package:Name-v0`, which imports the package.
        policy: `package.module:name` of a function from observation to action, or of a class that is made with the environment
            after each reset and then called so; or the file of a model of Stable-Baselines3 or sb3-contrib. Loading such a file
            runs what is in it, so use only files that you trust. In Python, the function or class itself.
        kwargs: of `GymDataModule`.

    Raises:
        UserError: an environment or a policy that cannot be found.
    """

    domain = "gymnasium"

    def __init__(self, env_id: str, policy: str | Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(env_id=import_environment(env_id), **kwargs)
        self.policy = find_policy(policy) if isinstance(policy, str) else policy
        self._name = policy if isinstance(policy, str) else getattr(policy, "__qualname__", type(policy).__qualname__)

    @property
    def expert_name(self) -> str:
        return self._name

    def env_ids(self) -> Collection[str]:
        return gymnasium.registry

    def settings(self) -> dict[str, Any]:
        """The arguments; a policy without a name to import it by is known by all that it consists of, as are files."""
        named = self.hparams["policy"]
        told = named if isinstance(named, str) else hashlib.sha256(cloudpickle.dumps(named)).hexdigest()
        if isinstance(self.policy, StableBaselines):
            told = hashlib.sha256(b"".join(file.read_bytes() for file in self.policy.files)).hexdigest()
        return {**super().settings(), "policy": told}

    def make_expert(self, env: gymnasium.Env) -> Expert:
        made = isinstance(self.policy, type | StableBaselines)
        act = self.policy(env) if made else self.policy
        return lambda observation, executed: act(observation)


def import_environment(env_id: str) -> str:
    """Imports the package that registers an environment, and returns the name that Gymnasium then knows it by.

    Args:
        env_id: `Name-v0`, `package:Name-v0`, or `dm_control/task-v0`, which shimmy registers.

    Raises:
        UserError: the package cannot be imported.
    """
    package, _, name = env_id.rpartition(":")
    if package:
        _imported(package, f"environment '{env_id}'")
    if name.startswith("dm_control/"):
        _imported("shimmy", f"environment '{env_id}'")
    return name


def registered(env_id: str) -> str:
    """Like `import_environment`, for an environment that has to exist.

    Raises:
        UserError: the package cannot be imported, or it registers no such environment.
    """
    name = import_environment(env_id)
    if name not in gymnasium.registry:
        raise unknown("environment", name, gymnasium.registry)
    return name


def find_policy(name: str) -> Callable[..., Any]:
    """A policy by its name.

    Args:
        name: `package.module:name`, or a file of Stable-Baselines3 or sb3-contrib.

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
