"""Statistics of Stable-Baselines3's VecNormalize, by which a policy's observations were normalised in its training."""

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from gato_lightning.errors import UserError

# What a pickled array consists of. All else becomes a `_Record`, which does nothing: reading runs no code.
_ARRAYS = {("numpy", "ndarray"), ("numpy", "dtype")} | {("numpy._core.multiarray", name) for name in ("_reconstruct", "scalar")}
_ARRAYS |= {("numpy._core.numeric", "_frombuffer")}  # in pickles of protocol 5


class VecNormalize:
    """Normalises observations: (observation - mean) / deviation, clipped, as float32.

    Args:
        file: what `VecNormalize.save` wrote.

    Raises:
        UserError: something else is in the file.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with file.open("rb") as opened:
                saved = vars(_Unpickler(opened).load())
            self.epsilon, self.clip = saved["epsilon"], saved["clip_obs"]
            found = saved["obs_rms"] if saved["norm_obs"] else {}
            # Under None, those of an observation that is one array.
            parts = {None: found} if hasattr(found, "mean") else found
            self.moments = {key: (one.mean, one.var) for key, one in parts.items()}
        except Exception as error:  # pickle raises whatever a damaged file leads to
            raise UserError(f"{file}: no statistics of VecNormalize ({type(error).__name__}: {error})") from error

    def check(self, space: gymnasium.Space) -> None:
        """Whether the statistics are of such observations.

        Raises:
            UserError: they are not.
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
        """The observation as the policy knows it."""
        if not isinstance(observation, Mapping):
            return self._normalised(observation, *self.moments[None]) if self.moments else observation
        return {**observation, **{key: self._normalised(observation[key], *both) for key, both in self.moments.items()}}

    def _normalised(self, array: np.ndarray, mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
        return np.clip((array - mean) / np.sqrt(variance + self.epsilon), -self.clip, self.clip).astype(np.float32)


def statistics_beside(model: Path) -> Path | None:
    """The file of statistics that belongs to a model's file, if there is one.

    That is `vecnormalize.pkl` or `vec_normalize.pkl` in its folder, or where RL Zoo puts it: in a folder there with a
    `config.yml`; and for a checkpoint of Stable-Baselines3, `x_100_steps.zip`, the file `x_vecnormalize_100_steps.pkl`.

    Raises:
        UserError: there are several.
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
    """Stands for any object, a mapping among them: its attributes."""

    def __init__(self, *args: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, dict):
            vars(self).update(state)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        place = module.replace("numpy.core", "numpy._core")
        return super().find_class(place, name) if (place, name) in _ARRAYS else _Record
