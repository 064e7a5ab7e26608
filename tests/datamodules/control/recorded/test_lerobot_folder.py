"""Metadata of LeRobot's folders: where episodes lie, and what is wrong."""

import json
from pathlib import Path

import pytest

from datamodules.control.recorded.lerobot_folder import LeRobotFolder
from gato_lightning.errors import UserError
from tests.datamodules.recorded_files import CAMERA, TASKS, write_lerobot

LENGTHS = (6, 4, 5)


def change_info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def opened(root: Path) -> None:
    """Reads all that the metadata say."""
    folder = LeRobotFolder(root)
    folder.split_ranges()
    folder.episodes()


@pytest.mark.parametrize("version", ["v2.0", "v2.1", "v3.0"])
def test_tasks_and_places_of_episodes(tmp_path, version):
    folder = LeRobotFolder(write_lerobot(tmp_path, version, LENGTHS))
    assert folder.tasks == dict(enumerate(TASKS))
    assert (folder.fps, folder.video_keys) == (10.0, [CAMERA])
    episodes = folder.episodes()
    assert [(one.index, one.length) for one in episodes] == list(enumerate(LENGTHS))
    assert all((folder.path / one.data).is_file() for one in episodes)
    videos = [one.videos[CAMERA] for one in episodes]
    assert all((folder.path / path).is_file() for path, _ in videos)
    assert [start for _, start in videos] == ([0.0, 0.6, 0.0] if version == "v3.0" else [0.0] * 3)
    assert folder.split_ranges() == {"train": range(3)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codebase_version": "v1.6"}, r"codebase_version v1\.6, expected v2\.0, v2\.1, v3\.0"),
        ({"data_path": "../../{episode_index}.parquet"}, r"path '\.\./\.\./0\.parquet' leads out of the folder"),
        ({"data_path": "/etc/{episode_index}"}, "path '/etc/0' leads out of the folder"),
        ({"data_path": "data/{part}.parquet"}, r"data_path 'data/\{part\}\.parquet' has an unknown part"),
        ({"data_path": 3}, r"info\.json: data_path is 3"),
        ({"features": None}, r"info\.json: features is None"),
        ({"splits": {"train": "all"}}, "splits .*, expected such as"),
    ],
)
def test_metadata_that_are_wrong_are_told_in_a_line(tmp_path, changes, message):
    root = write_lerobot(tmp_path, "v2.1", LENGTHS, "image")
    change_info(root, **changes)
    with pytest.raises(UserError, match=message) as error:
        opened(root)
    assert "\n" not in str(error.value)


def test_a_folder_of_another_kind(tmp_path):
    with pytest.raises(UserError, match=r"info\.json: cannot be read \(No such file.*\); expected a data set of LeRobot"):
        LeRobotFolder(tmp_path)
