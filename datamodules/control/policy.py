"""Any Gymnasium environment with any policy, both given by name."""

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
    """A registered Gymnasium environment with a policy of the user as the expert.

    Args:
        env_id: Gymnasium id of the environment, such as `CartPole-v1`, or `package:Name-v0`, which imports the package.
        policy: `package.module:name` of a function from observation to action, or of a class that is constructed with the
            environment after each reset and then called like the function; or the file of a Stable-Baselines3 or sb3-contrib
            model. Loading such a file runs code in it, so use only files that you trust. In Python, the function or class.
        kwargs: of `GymDataModule`.

    Raises:
        UserError: if the environment or the policy cannot be found.
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
        """Returns the arguments; a policy that is a Python object or a file is represented by a hash of its content."""
        given = self.hparams["policy"]
        identity = given if isinstance(given, str) else hashlib.sha256(cloudpickle.dumps(given)).hexdigest()
        if isinstance(self.policy, StableBaselines):
            identity = hashlib.sha256(b"".join(file.read_bytes() for file in self.policy.files)).hexdigest()
        return {**super().settings(), "policy": identity}

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
    """Returns the policy with a name.

    Args:
        name: `package.module:name`, or the file of a Stable-Baselines3 or sb3-contrib model.

    Raises:
        UserError: if there is no such policy.
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
