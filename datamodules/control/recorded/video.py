"""Frames of an episode out of a video file, decoded in their order; needs the extra `video`."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from datamodules.control.recorded.columns import Frames
from gato_lightning.errors import UserError

_TOLERANCE = 1e-4  # seconds between a timestep and its frame, as LeRobot has it


class EpisodeVideo(Frames):
    """The frames that stand at some times of a video, perhaps one that holds other episodes too.

    Args:
        path: of the file.
        times: (T,) seconds from the beginning of the video, ascending.

    Raises:
        UserError: when looped over: PyAV is not installed, the file cannot be read, or it lacks a frame.
    """

    def __init__(self, path: Path, times: np.ndarray) -> None:
        self.path, self.times = path, times

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, rows: slice) -> "EpisodeVideo":
        return EpisodeVideo(self.path, self.times[rows])

    def __iter__(self) -> Iterator[Image.Image]:
        try:
            import av
        except ImportError as error:
            raise UserError(
                f"video {self.path}: needs the package 'av'; install this project with its extra 'video'"
            ) from error
        if not self.path.is_file():
            raise UserError(f"video {self.path}: no such file")
        found = 0
        try:
            with av.open(str(self.path)) as container:
                stream = container.streams.video[0]
                # One jump to the last key frame before the episode; from there on all frames in their order.
                container.seek(int(max(0.0, self.times[0] - _TOLERANCE) / stream.time_base), stream=stream)
                for frame in container.decode(stream):
                    while found < len(self) and abs(frame.time - self.times[found]) <= _TOLERANCE:
                        yield frame.to_image()
                        found += 1
                    if found == len(self):
                        return
                    if frame.time > self.times[found]:
                        raise UserError(
                            f"video {self.path}: no frame at {self.times[found]:.4f} s, the next is at {frame.time:.4f} s"
                        )
        except (av.FFmpegError, IndexError, TypeError, ValueError) as error:  # no stream, frames without a time
            if isinstance(error, UserError):
                raise
            raise UserError(f"video {self.path}: cannot be decoded ({error})") from error
        raise UserError(f"video {self.path}: ends behind {found} of {len(self)} frames")
