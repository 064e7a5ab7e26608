"""Videos as GIFs."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from gato_lightning.evaluation.video import SIDE, encode_gif

FRAMES = [np.full((300, 600, 3), 80 * i, np.uint8) for i in range(3)]


def test_a_video_has_all_frames_shrunk_in_proportion_and_loops():
    gif = encode_gif(FRAMES, milliseconds=50)
    with Image.open(io.BytesIO(gif.data)) as image:
        assert (image.n_frames, image.size) == (3, (SIDE, SIDE // 2))
        assert image.info["loop"] == 0
        assert image.info["duration"] == 50
    assert (gif.width, gif.height) == (SIDE, SIDE // 2)


def test_tensorboard_keeps_it(tmp_path):
    gif = encode_gif(FRAMES)
    with SummaryWriter(str(tmp_path)) as writer:
        gif.add_to(writer, "rollout/a", 7)
    events = EventAccumulator(str(tmp_path)).Reload()
    (kept,) = events.Images("rollout/a")
    assert (kept.step, kept.encoded_image_string) == (7, gif.data)
