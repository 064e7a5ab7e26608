"""The state of a search for an expert, and its checkpoint."""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from gato_lightning.errors import UserError


@dataclass
class Search:
    """The state of a search: all that a checkpoint holds.

    Args:
        policy: (A, F + 1), the last column is the bias; it acts on normalised features.
        mean: (F,) of the features seen.
        square: (F,) sum of squared distances from the mean.
        best: (A, F + 1) of the best policy, acting on features as they are.
        scale: (A, F + 1) of changes; where a controller is given, in proportion to its gains, so that zeros stay.
        gaits: (n, P) parameters of the best gaits so far, best first; empty if none are looked for.
        gait_returns: (n,) what they reached.
        numbers: counts and scores.
        rng: of directions and episodes.
    """

    policy: np.ndarray
    mean: np.ndarray
    square: np.ndarray
    best: np.ndarray
    scale: np.ndarray
    gaits: np.ndarray
    gait_returns: np.ndarray
    rng: np.random.Generator
    numbers: dict[str, float] = field(
        default_factory=lambda: (
            dict.fromkeys(("timesteps", "iterations", "seen", "tries"), 0) | {"best_return": -np.inf, "gait_width": 0.3}
        )
    )

    def save(self, path: Path, recipe: dict[str, Any]) -> None:
        """Writes a checkpoint of a recipe's search in one piece."""
        names = ("policy", "mean", "square", "best", "scale", "gaits", "gait_returns")
        arrays = {name: np.ascontiguousarray(getattr(self, name)) for name in names}
        about = {"numbers": self.numbers, "rng": self.rng.bit_generator.state, "recipe": recipe}
        metadata = {key: json.dumps(value) for key, value in about.items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        save_file(arrays, partial, metadata)
        os.replace(partial, path)

    @classmethod
    def load(cls, path: Path, recipe: dict[str, Any]) -> "Search":
        """Reads a checkpoint.

        Raises:
            UserError: it is damaged, or of another recipe.
        """
        try:
            with safe_open(path, "numpy") as file:
                about = {key: json.loads(value) for key, value in file.metadata().items()}
                arrays = {key: file.get_tensor(key).copy() for key in file.keys()}  # noqa: SIM118, it is no dict
            rng = np.random.default_rng()
            rng.bit_generator.state = about["rng"]
            search = cls(rng=rng, numbers=about["numbers"], **arrays)
        except (OSError, SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise UserError(f"{path}: expected a checkpoint of scripts/train_experts.py ({error})") from error
        if about["recipe"] != json.loads(json.dumps(recipe)):
            raise UserError(f"{path}: a search by another recipe; delete the file to begin anew")
        return search
