"""Writes episodes as files of a Minari data set, in its Arrow format.

A data set is a folder `data` with `metadata.json` and, for each episode, a folder named by its number, with `part-0.arrow` and
its own `metadata.json`. Minari's writer reads and writes the whole metadata of the data set (200 kB with images) for each
episode and does not compress, so this module writes the Arrow files. Minari reads them, and writes the metadata.
"""

import contextlib
import functools
import importlib.metadata
import json
from pathlib import Path
from typing import Any

import minari
import numpy as np
import pyarrow as pa
from gymnasium import Space, spaces
from gymnasium.envs.registration import EnvSpec
from minari.dataset.minari_storage import MinariStorage
from pyarrow import ipc

from datamodules.control.trajectory import Trajectory
from gato_lightning.tokens.episode import is_text, map_space

# Images of games are mostly flat: an episode of BabyAI shrinks from 3 MB to 20 kB.
_OPTIONS = ipc.IpcWriteOptions(compression="zstd")

_DECIDING = (
    "ale-py",
    "box2d",
    "dm-control",
    "gato-lightning",
    "gymnasium",
    "metaworld",
    "minigrid",
    "mujoco",
    "numpy",
    "shimmy",
    "stable-baselines3",
)


def write_episode(path: Path, observation_space: Space, action_space: Space, trajectory: Trajectory) -> None:
    """Writes the Arrow file of an episode.

    Args:
        path: path of the file.
        observation_space, action_space: the schema.
        trajectory: the played episode.

    Raises:
        UserError: if a value is outside its space; nothing is written then.
    """
    observations, actions = trajectory.columns(observation_space, action_space)
    steps = len(trajectory)
    ended = np.zeros((2, steps + 1), bool)
    ended[0 if trajectory.terminated else 1, steps - 1] = True
    # There is one more observation than actions. Minari pads the last row of the other columns, and drops it on reading.
    batch = pa.RecordBatch.from_pydict(
        {
            "observations": _columns(observation_space, observations, steps + 1),
            "actions": _columns(action_space, actions, steps + 1),
            "rewards": np.append(np.asarray(trajectory.rewards, np.float64), 0.0),
            "terminations": ended[0],
            "truncations": ended[1],
        }
    )
    with pa.OSFile(str(path), "wb") as file, ipc.new_file(file, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)


def _columns(space: Space, values: Any, rows: int) -> pa.Array:
    """Returns stacked values as Minari's Arrow columns, padded to `rows` rows."""

    def column(leaf: Space, path: tuple[Any, ...], part: Any) -> pa.Array:
        if is_text(leaf):
            return pa.array([*part, *[None] * (rows - len(part))], pa.string())
        array = np.ascontiguousarray(part, leaf.dtype).reshape(len(part), -1)
        if len(array) < rows:
            array = np.concatenate([array, np.zeros((rows - len(array), array.shape[1]), array.dtype)])
        flat = pa.array(array.reshape(-1))
        return flat if isinstance(leaf, spaces.Discrete) else pa.FixedSizeListArray.from_arrays(flat, array.shape[1])

    def struct(nested: Space, path: tuple[Any, ...], parts: dict[Any, pa.Array]) -> pa.Array:
        return pa.StructArray.from_arrays(list(parts.values()), names=list(map(str, parts)))

    return map_space(column, space, values, nest=struct)


def write_metadata(
    data: Path, observation_space: Space, action_space: Space, env_spec: EnvSpec, metadata: dict[str, Any]
) -> None:
    """Writes the metadata of the data set whose episodes are in `data`.

    Args:
        data: the folder `data` of the data set.
        observation_space, action_space: the schema, as returned by `plain_space`.
        env_spec: the spec from which the environment is made.
        metadata: further entries, including `dataset_id` and the counts.
    """
    storage = MinariStorage.new(data, observation_space, action_space, env_spec, data_format="arrow", jpeg_encoding=False)
    size = {"dataset_size": float(storage.get_size())}  # MB
    storage.update_metadata({"minari_version": minari.__version__, **size, **metadata})


def episode_metadata(index: int, **entries: Any) -> str:
    """Returns the text of an episode's `metadata.json`."""
    return json.dumps({"id": index, **entries})


@functools.cache
def versions() -> dict[str, str]:
    """Returns the installed versions of the packages that influence episodes."""
    found = {}
    for package in _DECIDING:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found
