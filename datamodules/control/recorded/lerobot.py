"""Data sets in LeRobot's formats v2.0, v2.1 and v3.0 as tasks."""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet

from datamodules.control.recorded.arrow_columns import values_of
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.hub import find_folder
from datamodules.control.recorded.lerobot_folder import LeRobotEpisode, LeRobotFolder
from datamodules.control.recorded.recording import Recording, split_of
from datamodules.control.recorded.video import EpisodeVideo
from datamodules.readers.files import fingerprint, within
from gato_lightning.common.settings import PositiveFloat
from gato_lightning.errors import UserError

_TASK = "task"  # the key of the task's text, which the data have by its index only


class LeRobotDataModule(ColumnsTask):
    """Recorded episodes of a robot: states, actions, images in Parquet files or videos, and what the task is.

    Observed are, by default, the keys that begin with `observation`, and the task's text under the key `task`.

    Args:
        path: a folder, or the name of a data set on the hub (`lerobot/pusht`), which is downloaded.
        revision: of a data set on the hub.
        fps: frames a second that are kept, above 0; the data set's own rate must be a multiple of it. It sets `every`.
        kwargs: of `ColumnsTask`.
    """

    domain = "lerobot"

    def __init__(self, path: str, revision: str | None = None, fps: PositiveFloat | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data = LeRobotFolder(find_folder(path, revision))
        if fps is not None:
            self.every = round(self.data.fps / fps)
            if self.every < 1 or abs(self.every * fps - self.data.fps) > 1e-3 * self.data.fps:
                raise UserError(f"{path}: {self.data.fps:g} frames a second, which is no multiple of fps ({fps:g})")
        ranges = self.data.split_ranges()
        recordings = [self._recording(one, ranges) for one in self.data.episodes()]
        self.describe([recording for recording in recordings if recording is not None], path)

    def _recording(self, episode: LeRobotEpisode, ranges: Mapping[str, range]) -> Recording | None:
        """Where an episode lies; None of one that is neither to train on nor held out."""
        names = [name for name, indices in ranges.items() if episode.index in indices]
        split = split_of(names[0], ranges) if names else "train"
        return Recording(self.data.path / episode.data, f"episode {episode.index}", episode, split) if split else None

    def fingerprints(self) -> list[Any]:
        """Size and time of metadata, tables and videos; those that are missing are told when they are read."""
        videos = [video for recording in self.recordings for video, _ in recording.where.videos.values()]
        files = [*(recording.file for recording in self.recordings), *(self.data.path / video for video in videos)]
        meta = sorted((self.data.path / "meta").rglob("*.*"))
        return [fingerprint(file) for file in dict.fromkeys([*meta, *files]) if file.is_file()]

    def is_observed(self, key: str) -> bool:
        return key.startswith("observation") or key == _TASK

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        episode: LeRobotEpisode = recording.where
        table = self._table(recording, keys)
        rows = len(table)
        if rows != episode.length:
            raise UserError(f"{rows} rows, expected {episode.length} as its metadata say")
        found: dict[str, Any] = {}
        for key in table.column_names:
            with contextlib.suppress(*((UserError,) if keys is None else ())):  # what nobody asked for may hold anything
                found[key] = values_of(table.column(key), key, self.data.path)
        if keys is None or _TASK in keys:
            found[_TASK] = [self._task(index) for index in np.atleast_1d(found.get("task_index", []))]
        for key, (video, start) in episode.videos.items():
            if keys is None or key in keys:
                if "timestamp" not in found:
                    raise UserError("column timestamp: missing")
                times = start + np.asarray(found["timestamp"], np.float64)
                found[key] = EpisodeVideo(within(self.data.path, video), times)
        return found

    def _table(self, recording: Recording, keys: Collection[str] | None) -> pyarrow.Table:
        """The rows of the episode, of the columns that are needed."""
        try:
            names = pyarrow.parquet.read_schema(recording.file).names
            wanted = {*(names if keys is None else keys), "timestamp", "task_index"}
            # Row groups that hold other episodes are passed over by their statistics.
            of_episode = [("episode_index", "=", recording.where.index)]
            return pyarrow.parquet.read_table(
                recording.file, columns=[name for name in names if name in wanted], filters=of_episode
            )
        except FileNotFoundError as error:
            raise UserError("no such file") from error
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"cannot be read ({error})") from error

    def _task(self, index: int) -> str:
        if index not in self.data.tasks:
            raise UserError(f"column task_index: {index}, which is none of the {len(self.data.tasks)} tasks")
        return self.data.tasks[index]
