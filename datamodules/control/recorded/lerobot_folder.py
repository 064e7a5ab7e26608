"""Folders in LeRobot's formats v2.0, v2.1 and v3.0: what their metadata say of each episode.

    v2   data/chunk-000/episode_000000.parquet    videos/chunk-000/KEY/episode_000000.mp4     meta/{tasks,episodes}.jsonl
    v3   data/chunk-000/file-000.parquet          videos/KEY/chunk-000/file-000.mp4           meta/{tasks,episodes/*/*}.parquet

Files of v3 hold many episodes. Where they lie, `data_path` and `video_path` in meta/info.json say.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from datamodules.base.faults import Fault
from datamodules.readers.files import json_lines, within
from gato_lightning.errors import UserError

VERSIONS = ("v2.0", "v2.1", "v3.0")


@dataclass(frozen=True)
class LeRobotEpisode:
    """Where an episode lies.

    Args:
        index: its `episode_index`.
        length: its timesteps.
        data: path of its Parquet file, in the folder.
        videos: by key, path of a video in the folder, and the second at which the episode begins in it.
    """

    index: int
    length: int
    data: str
    videos: Mapping[str, tuple[str, float]]


class LeRobotFolder:
    """The metadata of a data set.

    Args:
        path: the folder.

    Raises:
        UserError: it is no such folder, of another version, or its metadata cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.info = _json(path / "meta" / "info.json")
        self.version = str(self.info.get("codebase_version"))
        if self.version not in VERSIONS:
            raise UserError(f"{path}: codebase_version {self.version}, expected {', '.join(VERSIONS)}")
        features = self._get("features", dict)
        self.video_keys = [key for key, one in features.items() if isinstance(one, dict) and one.get("dtype") == "video"]
        self.fps = float(self._get("fps", int | float))

    @cached_property
    def tasks(self) -> dict[int, str]:
        """The texts of the tasks, by their index."""
        if self.version.startswith("v2"):
            rows = _lines(self.path / "meta" / "tasks.jsonl")
        else:
            rows = _table(self.path / "meta" / "tasks.parquet")
        try:
            # A pandas index without a name is a column of this one.
            return {int(row["task_index"]): str(row["task"] if "task" in row else row["__index_level_0__"]) for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{self.path}: its tasks lack {error}, expected task_index and task") from error

    def episodes(self) -> list[LeRobotEpisode]:
        """All episodes, in the order of their indices.

        Raises:
            UserError: the metadata lack something, or name a file outside the folder.
        """
        if self.version.startswith("v2"):
            rows = _lines(self.path / "meta" / "episodes.jsonl")
        else:
            files = sorted((self.path / "meta" / "episodes").rglob("*.parquet"))
            rows = [row for file in files for row in _table(file)]
        try:
            return sorted((self._episode(row) for row in rows), key=lambda episode: episode.index)
        except (KeyError, TypeError, IndexError) as error:
            raise UserError(f"{self.path}: the metadata of its episodes lack {error}") from error

    def split_ranges(self) -> dict[str, range]:
        """The episodes of each split, as `"0:50"` tells them."""
        try:
            ranges = {name: map(int, str(told).split(":")) for name, told in self.info.get("splits", {}).items()}
            return {name: range(*bounds) for name, bounds in ranges.items()}
        except (ValueError, TypeError, AttributeError) as error:
            raise UserError(f"{self.path}: splits {self.info['splits']}, expected such as {{'train': '0:50'}}") from error

    def _episode(self, row: Mapping[str, Any]) -> LeRobotEpisode:
        index = int(row["episode_index"])
        if self.version.startswith("v2"):
            chunk = index // max(1, int(self.info.get("chunks_size", 1000)))
            place: dict[str, Any] = {"episode_chunk": chunk, "episode_index": index}
            videos = {key: (self._path("video_path", video_key=key, **place), 0.0) for key in self.video_keys}
        else:
            place = {"chunk_index": int(row["data/chunk_index"]), "file_index": int(row["data/file_index"])}
            videos = {key: self._video(key, row) for key in self.video_keys}
        return LeRobotEpisode(index, int(row["length"]), self._path("data_path", **place), videos)

    def _video(self, key: str, row: Mapping[str, Any]) -> tuple[str, float]:
        place = {name: int(row[f"videos/{key}/{name}"]) for name in ("chunk_index", "file_index")}
        return self._path("video_path", video_key=key, **place), float(row[f"videos/{key}/from_timestamp"])

    def _path(self, setting: str, **place: Any) -> str:
        """A path from its pattern in meta/info.json."""
        pattern = self._get(setting, str)
        try:
            name = pattern.format(**place)
        except (KeyError, IndexError, ValueError, AttributeError) as error:
            raise UserError(f"{self.path}: {setting} '{pattern}' has an unknown part ({error})") from error
        within(self.path, name)
        return name

    def _get(self, key: str, kind: Any) -> Any:
        if not isinstance(self.info.get(key), kind):
            raise UserError(f"{self.path / 'meta' / 'info.json'}: {key} is {self.info.get(key)!r}, expected {kind}")
        return self.info[key]


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); expected a data set of LeRobot") from error
    except ValueError as error:
        raise UserError(f"{path}: no JSON ({error})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected a JSON object")
    return content


def _lines(path: Path) -> Iterator[Mapping[str, Any]]:
    for line in json_lines(path):
        if isinstance(line, Fault):
            raise UserError(line.message)
        yield line[1]


def _table(path: Path) -> list[dict[str, Any]]:
    """Rows of a small table, without what is nested in them."""
    try:
        return pyarrow.parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error
