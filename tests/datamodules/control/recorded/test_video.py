"""Frames of an episode: those that stand at its times, decoded in their order."""

import numpy as np
import pytest

from datamodules.control.recorded.video import EpisodeVideo
from gato_lightning.errors import UserError
from tests.datamodules.recorded_files import encode, movie

FPS = 30


@pytest.fixture(scope="module", params=["libx264", "libsvtav1"])
def film(request, tmp_path_factory):
    """A video of 40 frames."""
    path = tmp_path_factory.mktemp("video") / "file.mp4"
    encode(path, movie(3, 40, 128, 64), FPS, request.param)
    return path


def numbers(video) -> list[int]:
    """Which frames of the film these are."""
    film = movie(3, 40, 128, 64).astype(float)
    return [int(np.abs(film - np.asarray(frame)).mean(axis=(1, 2, 3)).argmin()) for frame in video]


@pytest.mark.parametrize(("first", "count", "step"), [(0, 40, 1), (17, 9, 1), (17, 9, 4), (39, 1, 1), (3, 30, 7)])
def test_frames_are_those_at_the_times(film, first, count, step):
    video = EpisodeVideo(film, first / FPS + np.float32(np.arange(count) / FPS))[::step]
    assert len(video) == len(range(0, count, step))
    assert numbers(video) == list(range(first, first + count, step))


def test_a_frame_may_stand_at_two_times(film):
    assert numbers(EpisodeVideo(film, np.array([5, 5, 6]) / FPS)) == [5, 5, 6]


def test_a_time_without_a_frame_is_named(film):
    with pytest.raises(UserError, match=r"file\.mp4: no frame at 0\.1500 s, the next is at 0\.1667 s"):
        list(EpisodeVideo(film, np.array([0.1, 0.15])))
    with pytest.raises(UserError, match=r"file\.mp4: ends behind 2 of 3 frames"):
        list(EpisodeVideo(film, np.array([38, 39, 40]) / FPS))


@pytest.mark.parametrize("content", [b"", b"no video at all", None])
def test_a_file_that_is_no_video(tmp_path, content):
    path = tmp_path / "x.mp4"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"x\.mp4: (cannot be decoded|no such file)"):
        list(EpisodeVideo(path, np.zeros(1)))


def test_a_file_of_sound_alone_has_no_frames(tmp_path):
    import av

    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", 44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        sound.rate = 44100
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(UserError, match=r"sound\.mp4: cannot be decoded"):
        list(EpisodeVideo(path, np.zeros(1)))
