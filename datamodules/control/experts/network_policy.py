"""Experts as small networks: shipped as files of some hundred kilobytes, played with numpy alone."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from gymnasium.spaces import flatten
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from datamodules.control.experts.expert_features import FEATURES
from gato_lightning.errors import UserError

EXPERTS = Path(__file__).parent
CLIP = 10.0  # normalised observations are clipped here, as Stable-Baselines3's VecNormalize does

_ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}


@dataclass(frozen=True)
class NetworkPolicy:
    """A deterministic policy: normalised features, hidden layers, and an action of the environment's space.

    Args:
        weights: (outputs, inputs) floats of each layer, the first layer first; one alone is a linear policy.
        biases: (outputs,) floats of each layer.
        activation: nonlinearity of the hidden layers, `relu`, `tanh` or `elu`.
        output: `clip` cuts the last layer's outputs off at the bounds of the action space; `tanh` squashes them and stretches
            [-1, 1] to the bounds; `argmax` takes the largest as a discrete action.
        mean: (F,) mean of the features in training, which is subtracted; None: they are not normalised.
        deviation: (F,) standard deviation of the features in training, which divides them.
        features: key of `expert_features.FEATURES`; "": the flattened observation.
        settings: arguments of those features.
        about: how the policy was made and what it reaches; JSON values.
    """

    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]
    activation: str = "relu"
    output: Literal["clip", "tanh", "argmax"] = "clip"
    mean: np.ndarray | None = None
    deviation: np.ndarray | None = None
    features: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)

    def actor(self, env: gymnasium.Env) -> Callable[[Any], Any]:
        """Returns the function from observations to actions for an episode that begins."""
        seen, acted, timesteps = env.observation_space, env.action_space, count()
        if not self.features:
            return lambda observation: self.act(flatten(seen, observation), acted)
        see = FEATURES[self.features](**self.settings)
        return lambda observation: self.act(see(observation, next(timesteps)), acted)

    def act(self, features: np.ndarray, space: gymnasium.Space) -> Any:
        """Returns the action of a space for features (F,)."""
        *hidden, (weight, bias) = self._layers
        x = np.asarray(features, np.float32)
        if self.mean is not None and self.deviation is not None:
            x = np.clip((x - self.mean) / self.deviation, -CLIP, CLIP)
        activation = _ACTIVATIONS[self.activation]
        for inner, offset in hidden:
            x = activation(inner @ x + offset)
        x = weight @ x + bias
        if isinstance(space, gymnasium.spaces.Discrete):
            return space.start + x.argmax()
        assert isinstance(space, gymnasium.spaces.Box)
        x = x.reshape(space.shape)
        if self.output == "tanh":
            x = space.low + (np.tanh(x) + 1) / 2 * (space.high - space.low)
        return np.clip(x, space.low, space.high).astype(space.dtype)

    @cached_property
    def _layers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The layers in float32: files may hold half precision."""
        kinds = zip(self.weights, self.biases, strict=True)
        return [(weight.astype(np.float32), bias.astype(np.float32)) for weight, bias in kinds]

    def tensors(self) -> dict[str, np.ndarray]:
        """The numbers by name, as they are written."""
        found = {f"{i}.weight": weight for i, weight in enumerate(self.weights)}
        found |= {f"{i}.bias": bias for i, bias in enumerate(self.biases)}
        if self.mean is not None and self.deviation is not None:
            found |= {"mean": self.mean, "deviation": self.deviation}
        return found

    def save(self, path: Path) -> None:
        """Writes a safetensors file, with all but the numbers as JSON in its metadata; the same policy gives the same bytes."""
        keys = ("activation", "output", "features", "settings", "about")
        card = json.dumps({key: getattr(self, key) for key in keys}, sort_keys=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(self.tensors(), path, {"policy": card})  # one key: the format does not keep their order

    @classmethod
    def load(cls, path: Path) -> "NetworkPolicy":
        """Reads what `save` wrote.

        Raises:
            UserError: the file is missing or no such policy.
        """
        try:
            with safe_open(path, "numpy") as file:
                card = json.loads(file.metadata()["policy"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
                layers = range(sum(name.endswith(".weight") for name in tensors))
                weights = tuple(tensors[f"{i}.weight"] for i in layers)
                biases = tuple(tensors[f"{i}.bias"] for i in layers)
                return cls(weights, biases, mean=tensors.get("mean"), deviation=tensors.get("deviation"), **card)
        except (OSError, SafetensorError, TypeError, ValueError, KeyError) as error:
            raise UserError(f"{path}: expected an expert, as `python run.py expert` writes them ({error})") from error
