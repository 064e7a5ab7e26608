"""Videos of rollouts as GIFs, which TensorBoard shows as images."""

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image
from tensorboard.compat.proto.summary_pb2 import Summary

MAX_FRAMES = 120  # of a video; longer episodes are shown up to there
SIDE = 200  # pixels of the longer side


@dataclass(frozen=True)
class Gif:
    """An encoded animation.

    Args:
        data: the file's bytes.
        width, height: in pixels.
    """

    data: bytes
    width: int
    height: int

    def add_to(self, writer: Any, tag: str, step: int) -> None:
        """Adds it to a TensorBoard `SummaryWriter`, whose own `add_video` logs nothing with moviepy 2."""
        image = Summary.Image(encoded_image_string=self.data, width=self.width, height=self.height, colorspace=3)
        writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def encode_gif(frames: list[np.ndarray], milliseconds: int = 60) -> Gif:
    """A looping GIF of (H, W, 3) uint8 frames, shrunk to `SIDE` pixels."""
    images = [Image.fromarray(frame) for frame in frames]
    for image in images:
        image.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return Gif(file.getvalue(), *images[0].size)
