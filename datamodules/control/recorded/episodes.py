"""Episodes in the plainest of formats: a folder of .npz files, or JSON Lines of timesteps."""

import zipfile
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.base.faults import Fault
from datamodules.control.recorded.columns import first_of, flattened
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.recording import Recording
from datamodules.readers.coco import inside
from datamodules.readers.files import find, json_lines
from gato_lightning.errors import UserError

_JSON = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_EPISODE = ("episode", "episode_id", "episode_index")
_ENDS = ("done", "terminated", "truncated", "terminal", "timeout", "is_last")
_FAULT = object()  # the key of what is wrong with a line


class EpisodesDataModule(ColumnsTask):
    """Episodes as files: an .npz file each, or JSON Lines with a timestep a line.

    An array of an .npz file has a row a timestep, and perhaps one more of observations; a single text is the task's, and is
    shown at every timestep. A line is an object, nested or not: `{"observation": {"x": 1.5}, "action": 0}` has the keys
    `observation.x` and `action`. Lines belong to the same episode while their `episode`, `episode_id` or `episode_index` is the
    same; without, until `done`, `terminated`, `truncated` or the end of the file. Texts that end in .png or .jpg name image
    files in the folder.

    Args:
        path: a file, or a folder that is searched at any depth.
        kwargs: of `ColumnsTask`.
    """

    domain = "episodes"

    def __init__(self, path: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        recordings = []
        for file in find(path, (".npz", *_JSON)):
            if file.suffix == ".npz":
                recordings.append(Recording(file))
            else:
                recordings += [Recording(file, f"episode {name}", name) for name in _lines_by_episode(file)]
        self.describe(recordings, path)

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        if recording.file.suffix == ".npz":
            return _read_npz(recording.file, keys)
        rows = _lines_by_episode(recording.file)[recording.where]
        return _stacked(rows, recording.file.parent.resolve(), keys)


def _read_npz(path: Path, keys: Collection[str] | None) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            wanted = [key for key in file.files if keys is None or key in keys]
            return {key: _plain(file[key]) for key in wanted}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise UserError(f"cannot be read ({error})") from error
    except Exception as error:  # zlib's, whose class zipfile lets through
        raise UserError(f"cannot be read ({type(error).__name__}: {error})") from error


def _plain(array: np.ndarray) -> Any:
    """An array; a text where it is a single one."""
    return array.item() if array.dtype.kind == "U" and array.ndim == 0 else array


@lru_cache(maxsize=4)
def _lines_by_episode(file: Path) -> dict[str, list[dict[Any, Any]]]:
    """The timesteps of each episode, by its name; what is wrong with a line stands in its place."""
    episodes: dict[str, list[dict[Any, Any]]] = defaultdict(list)
    name = "0"
    for line in json_lines(file):
        if isinstance(line, Fault):
            episodes[name].append({_FAULT: line.message})
            continue
        row = flattened(line[1])
        if key := first_of(_EPISODE, row):
            name = str(row[key])
        episodes[name].append(row)
        if not key and any(row.get(end) for end in _ENDS):
            name = str(len(episodes))
    return dict(episodes)


def _stacked(rows: list[dict[Any, Any]], folder: Path, keys: Collection[str] | None) -> dict[str, Any]:
    """The timesteps of an episode as columns."""
    if faults := [row[_FAULT] for row in rows if _FAULT in row]:
        raise UserError(faults[0])
    columns: dict[str, Any] = {}
    for key in rows[0] if keys is None else keys:
        values = [row.get(key) for row in rows]
        missing = [t for t, value in enumerate(values) if value is None]
        if len(missing) == len(rows):
            continue
        if missing:
            raise UserError(f"column {key}, timestep {missing[0]}: missing")
        if all(isinstance(value, str) and value.lower().endswith(_IMAGES) for value in values):
            values = [inside(folder, value) for value in values]
        columns[key] = values
    return columns
