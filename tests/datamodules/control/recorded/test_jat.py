"""JAT's data set: columns of every kind, configurations and patterns of them."""

import io
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from gymnasium import spaces
from PIL import Image

from datamodules.control.recorded.jat import EncodedImages, JatDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.recorded_files import jat_columns, movie, png, write_jat
from tests.datamodules.vision_files import connected, stored

WHOLE = ImageSettings(height=84, width=84)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_jat(tmp_path_factory.mktemp("jat"))


def module(folder, config, **settings):
    return JatDataModule(**{"path": str(folder), "config": config, "images": WHOLE, **settings})


def read(task, split):
    return [one for job in task.jobs(split) for one in job()]


def test_texts_and_discrete_values(folder, tmp_path):
    task = connected(module(folder, "babyai-go-to"), tmp_path, 512)
    assert task.observation_space["discrete"] == spaces.MultiDiscrete(np.full(148, 11))
    assert task.action_space == spaces.Discrete(7)
    (first, *_) = read(task, "train")
    given = jat_columns("babyai", 200, 3)
    assert first.observations["text"] == given["text_observations"]
    np.testing.assert_array_equal(first.observations["discrete"], given["discrete_observations"])
    np.testing.assert_array_equal(first.actions, given["discrete_actions"])


def test_continuous_values_come_back_in_their_units(folder, tmp_path):
    task = stored(module(folder, "metaworld-reach"), tmp_path)
    assert task.observation_space.shape == (5,)
    assert (task.stores["train"].num_episodes, task.stores["val"].num_episodes) == (5, 2)
    given = np.array(jat_columns("metaworld", 0, 3)["continuous_actions"])
    ids = [row for row, _ in task.tokenizer.encode_actions(list(given))]
    low, high = task.action_space.low, task.action_space.high
    back = task.tokenizer.decode_actions(ids)
    np.testing.assert_allclose(back, np.clip(given, low, high), atol=float((high - low).max()) / 1024)


def test_of_four_frames_in_grey_the_last_three_are_shown(folder, tmp_path):
    task = connected(module(folder, "atari-pong"), tmp_path)
    (first, *_) = read(task, "train")
    np.testing.assert_array_equal(first.observations, movie(300, 3, 84, 84))


def test_a_pattern_of_configurations_keeps_them_apart_as_sources(folder, tmp_path):
    task = stored(module(folder, "metaworld-*"), tmp_path)
    assert sorted(task.stores["train"].meta["sources"]) == ["metaworld-push", "metaworld-reach"]
    assert task.stores["train"].num_episodes == 10


def test_configurations_that_differ_are_no_task(folder):
    with pytest.raises(UserError, match="configurations atari-pong and babyai-go-to have different columns: "):
        module(folder, "*")


def test_an_unknown_configuration(folder):
    with pytest.raises(UserError, match=r"unknown configuration in .* 'atari-pogn'; did you mean atari-pong"):
        module(folder, "atari-pogn")


def test_files_below_folders_of_splits(folder, tmp_path):
    for split in ("train", "test"):
        (tmp_path / "metaworld-reach" / split).mkdir(parents=True)
        source = folder / "metaworld-reach" / f"{split}-00000-of-00001.parquet"
        shutil.copy(source, tmp_path / "metaworld-reach" / split / "0000.parquet")
    assert module(tmp_path, "metaworld-reach").held_out().tolist() == [True] * 2 + [False] * 5


def test_only_the_configuration_is_downloaded(folder, monkeypatch):
    asked = {}

    def snapshot_download(name, **settings):
        asked.update(settings, name=name)
        return str(folder)

    monkeypatch.setattr("datamodules.control.recorded.hub.snapshot_download", snapshot_download)
    module("jat-project/jat-dataset", "metaworld-reach")
    assert asked["name"] == "jat-project/jat-dataset"
    assert asked["allow_patterns"] == ["metaworld-reach/*", "*/metaworld-reach/*"]


def spoiled(folder, tmp_path, **changes):
    """A copy of metaworld-reach whose third training episode has other columns."""
    shutil.copytree(folder / "metaworld-reach", tmp_path / "metaworld-reach")
    path = tmp_path / "metaworld-reach" / "train-00000-of-00001.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[2] |= changes
    pq.write_table(type(table).from_pylist(rows, table.schema), path)
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"continuous_actions": None}, "column continuous_actions: missing"),
        ({"rewards": [1.0]}, "column rewards: 1 values, expected 5"),
        ({"continuous_observations": [[0.0] * 5, [0.0] * 4] * 2}, "column continuous_observations: lists of 4 to 5 values"),
        (
            {"continuous_observations": [[0.0] * 4] * 5},
            r"column continuous_observations: values of shape \(4,\), expected \(5,\)",
        ),
        ({"continuous_observations": [[float("nan")] * 5] * 5}, "column continuous_observations, timestep 0: NaN at element 0"),
    ],
)
def test_a_faulty_row_is_listed_and_left_out(folder, tmp_path, changes, message):
    task = module(spoiled(folder, tmp_path, **changes), "metaworld-reach", max_faults=0.5)
    with pytest.raises(UserError, match=rf"train-00000-of-00001\.parquet, row 2: .*{message}"):
        stored(module(tmp_path, "metaworld-reach"), tmp_path / "strict")
    assert stored(task, tmp_path / "cache").stores["train"].num_episodes == 4


def test_a_file_that_is_cut_short_is_named(folder, tmp_path):
    shutil.copytree(folder / "metaworld-reach", tmp_path / "metaworld-reach")
    path = tmp_path / "metaworld-reach" / "train-00000-of-00001.parquet"
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(UserError, match=r"train-00000-of-00001\.parquet: cannot be read"):
        module(tmp_path, "metaworld-reach")


def test_images_that_cannot_be_decoded_are_named():
    good = png(np.zeros((20, 20, 3), np.uint8))
    frames = EncodedImages([good, good[:40], b"none"], "x")
    assert len(frames) == 3
    for rows, number in ((slice(0, 2), 1), (slice(2, 3), 0)):
        with pytest.raises(UserError, match=f"column x, image {number}: cannot be decoded"):
            list(frames[rows])
    assert Image.open(io.BytesIO(good)).size == next(iter(frames)).size
