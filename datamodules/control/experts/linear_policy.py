"""Linear experts: small enough to be shipped, fast enough to collect with."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from datamodules.control.experts.expert_features import FEATURES
from gato_lightning.errors import UserError

EXPERTS = Path(__file__).parent


@dataclass(frozen=True)
class LinearPolicy:
    """action = clip(weight @ features + bias) to the bounds of the action space.

    Args:
        weight: (A, F) float64.
        bias: (A,) float64.
        features: key of `expert_features.FEATURES`.
        settings: what that takes.
        about: what made the policy and what it reached; JSON values.
    """

    weight: np.ndarray
    bias: np.ndarray
    features: str = "state"
    settings: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def actor(self, space: gymnasium.spaces.Box) -> "LinearExpert":
        """The policy at the start of an episode."""
        return LinearExpert(self, space)

    def save(self, path: Path) -> None:
        """Writes a safetensors file, with all but the numbers as JSON in its metadata; the same policy gives the same bytes."""
        about = {"features": self.features, "settings": self.settings, "about": self.about}
        metadata = {"policy": json.dumps(about, sort_keys=True)}  # one key: the format does not keep their order
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"weight": self.weight, "bias": self.bias}, path, metadata)

    @classmethod
    def load(cls, path: Path) -> "LinearPolicy":
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is missing or no such policy.
        """
        try:
            with safe_open(path, "numpy") as file:
                about = json.loads(file.metadata()["policy"])
                return cls(weight=file.get_tensor("weight"), bias=file.get_tensor("bias"), **about)
        except (OSError, SafetensorError, TypeError, ValueError, KeyError) as error:
            raise UserError(f"{path}: expected an expert written by scripts/train_experts.py ({error})") from error


class LinearExpert:
    """A linear policy in one episode.

    Args:
        policy: its numbers.
        space: of its actions.
    """

    def __init__(self, policy: LinearPolicy, space: gymnasium.spaces.Box) -> None:
        self.weight, self.bias = policy.weight, policy.bias
        self.low, self.high, self.dtype = space.low, space.high, space.dtype
        self.features = FEATURES[policy.features](**policy.settings)
        self.timestep = 0

    def __call__(self, observation: Any, executed: Any = None) -> np.ndarray:
        """The action (A,) for the next observation of the episode; what was executed before plays no part."""
        return self.act(self.see(observation))

    def see(self, observation: Any) -> np.ndarray:
        """The features (F,) of the next observation."""
        features = self.features(observation, self.timestep)
        self.timestep += 1
        return features

    def act(self, features: np.ndarray) -> np.ndarray:
        """The action (A,) for features (F,)."""
        action = self.weight @ features + self.bias
        return np.minimum(np.maximum(action, self.low), self.high).astype(self.dtype)
