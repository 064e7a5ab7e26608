"""Statistics of Stable-Baselines3's VecNormalize, which normalised a policy's observations in its training."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from gato_lightning.errors import UserError

# The classes and functions of a pickled array. All others become a `_Record`, which does nothing, so reading runs no code.
_ARRAYS = {("numpy", "ndarray"), ("numpy", "dtype")} | {("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar")}
_ARRAYS |= {("numpy._core.numeric", "_frombuffer")}  # in pickles of protocol 5


class VecNormalize:
    """Normalises observations: (observation - mean) / deviation, clipped, as float32.

    Args:
        file: file written by `VecNormalize.save`.

    Raises:
        UserError: if the file holds something else.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as opened:
                saved = vars(_Unpickler(opened).load())
            self.epsilon, self.clip = saved["epsilon"], saved["clip_obs"]
            found = saved["obs_rms"] if saved["norm_obs"] else {}
            # The key None stands for an observation that is one array.
            parts = {None: found} if hasattr(found, "mean") else found
            self.moments = {key: (one.mean, one.var) for key, one in parts.items()}
        except Exception as error:  # pickle raises whatever a damaged file leads to
            raise UserError(f"{file}: not statistics of VecNormalize ({type(error).__name__}: {error})") from error

    def check(self, space: gymnasium.Space) -> None:
        """Checks that the statistics match an observation space.

        Raises:
            UserError: if they do not.
        """
        parts = dict(space.spaces) if isinstance(space, gymnasium.spaces.Dict) else {None: space}
        for key, (mean, _) in self.moments.items():
            if key not in parts or parts[key].shape != np.shape(mean):
                part = f"part '{key}' of observations" if key else "observations"
                raise UserError(
                    f"{self.file}: statistics of {part} of shape {np.shape(mean)}, which the environment does not have; "
                    "if they belong to another policy, move them elsewhere"
                )

    def __call__(self, observation: Any) -> Any:
        """Returns the normalised observation."""
        if not isinstance(observation, Mapping):
            return self._normalised(observation, *self.moments[None]) if self.moments else observation
        return {**observation, **{key: self._normalised(observation[key], *both) for key, both in self.moments.items()}}

    def _normalised(self, array: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return np.clip((array - mean) / np.sqrt(variance + self.epsilon), -self.clip, self.clip).astype(np.float32)


def statistics_beside(model: Path) -> Path | None:
    """Returns the file of statistics that belongs to a model's file, or None.

    This is `vecnormalize.pkl` or `vec_normalize.pkl` in the model's folder, or, as RL Zoo does, in a folder inside it with a
    `config.yml`. For a checkpoint `x_100_steps.zip` of Stable-Baselines3 it is `x_vecnormalize_100_steps.pkl`.

    Raises:
        UserError: if there are several.
    """
    own = model.with_name(re.sub(r"(\d+_steps)$", r"vecnormalize_\1", model.stem) + ".pkl")
    if own.name != f"{model.stem}.pkl" and own.exists():
        return own
    folders = [model.parent, *(config.parent for config in sorted(model.parent.glob("*/config.yml")))]
    found = [path for folder in folders for path in sorted(folder.glob("vec*normalize.pkl"))]
    if len(found) > 1:
        raise UserError(f"policy {model}: statistics of VecNormalize in {' and '.join(map(str, found))}, expected one file")
    return found[0] if found else None


class _Record(dict[Any, Any]):
    """Replaces any object, including mappings, and holds its attributes."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        place = module.replace("numpy.core", "numpy._core")
        return super().find_class(place, name) if (place, name) in _ARRAYS else _Record
