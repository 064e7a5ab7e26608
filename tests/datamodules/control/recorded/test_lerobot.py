"""LeRobot's folders of all versions: each row with its frame and text, and what is wrong with them."""

import json
import re
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from lerobot_doctor.dataset_loader import load_local
from lerobot_doctor.runner import Severity, run_checks

from datamodules.control.recorded.lerobot import LeRobotDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.recorded_files import CAMERA, FPS, TASKS, encode, lerobot_columns, movie, write_lerobot
from tests.datamodules.vision_files import connected, stored

LENGTHS = (6, 4, 5, 7)
WHOLE = ImageSettings(height=64, width=64)
FORMS = [("v2.0", "image"), ("v2.1", "libx264"), ("v3.0", "libx264"), ("v3.0", "libsvtav1"), ("v3.0", "image")]


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[tuple[str, str], Path]:
    return {form: write_lerobot(tmp_path_factory.mktemp("-".join(form)), form[0], LENGTHS, form[1]) for form in FORMS}


def module(folder: Path, **settings: object) -> LeRobotDataModule:
    return LeRobotDataModule(**{"path": str(folder), "images": WHOLE, "val_episodes": 1, **settings})


def episodes(task: LeRobotDataModule) -> list:
    """The episodes in their order; the first is held out."""
    return [one for split in ("val", "train") for job in task.jobs(split) for one in job()]


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_the_folders_of_these_tests_are_sound(folders, form):
    report = run_checks(load_local(folders[form]), checks=["metadata", "temporal", "videos", "episodes", "consistency"])
    failed = [str(message) for result in report.results for message in result.messages if message.severity is Severity.FAIL]
    assert not failed


@pytest.mark.parametrize("form", FORMS, ids="-".join)
def test_each_row_has_its_frame_and_its_text(folders, form, tmp_path):
    read = episodes(connected(module(folders[form]), tmp_path))
    assert [len(one) for one in read] == list(LENGTHS)
    everything = np.concatenate([movie(e, steps, 64, 64) for e, steps in enumerate(LENGTHS)]).astype(float)
    shown = np.concatenate([one.observations["images.top"] for one in read])
    distance = np.abs(shown[:, None].astype(float) - everything[None]).mean(axis=(2, 3, 4))
    assert distance.argmin(axis=1).tolist() == list(range(len(everything)))
    for e, one in enumerate(read):
        columns = lerobot_columns(e, e, LENGTHS[e], 0)
        np.testing.assert_array_equal(one.observations["state"], columns["observation.state"])
        np.testing.assert_array_equal(one.actions, columns["action"])
        assert one.observations["task"] == [TASKS[e % 2]] * LENGTHS[e]
        assert one.rewards.sum() == pytest.approx(columns["next.reward"].sum())


@pytest.mark.parametrize("form", [("v2.1", "libx264"), ("v3.0", "libx264")], ids="-".join)
def test_fewer_frames_a_second(folders, form, tmp_path):
    whole = episodes(connected(module(folders[form]), tmp_path))
    half = episodes(connected(module(folders[form], fps=FPS / 2), tmp_path))
    for one, two in zip(whole, half, strict=True):
        np.testing.assert_array_equal(two.observations["images.top"], one.observations["images.top"][::2])
        np.testing.assert_array_equal(two.actions, one.actions[::2])
    with pytest.raises(UserError, match=r"10 frames a second, which is no multiple of fps \(4\)"):
        module(folders[form], fps=4.0)


def test_an_episode_takes_one_jump_into_its_video(folders, tmp_path, monkeypatch):
    """From there its frames come in their order; to find out what the columns are takes none."""
    jumps = []

    class Watched:
        def __init__(self, container):
            self.container = container

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.container.close()

        def __getattr__(self, name):
            return getattr(self.container, name)

        def seek(self, *given, **named):
            jumps.append(given)
            return self.container.seek(*given, **named)

    opened = av.open
    monkeypatch.setattr(av, "open", lambda path: Watched(opened(path)))
    episodes(connected(module(folders["v3.0", "libx264"]), tmp_path))
    assert len(jumps) == len(LENGTHS)


def test_all_is_stored(folders, tmp_path):
    task = stored(module(folders["v3.0", "libx264"]), tmp_path)
    assert task.stores["train"].num_timesteps + task.stores["val"].num_timesteps == sum(LENGTHS)


@pytest.mark.parametrize("version", ["v2.1", "v3.0"])
def test_indices_need_not_begin_at_0(tmp_path, version):
    task = connected(module(write_lerobot(tmp_path, version, LENGTHS, "image", first=1003)), tmp_path / "cache")
    assert [len(one) for one in episodes(task)] == list(LENGTHS)


def test_a_validation_split_of_the_data_is_held_out(tmp_path):
    root = write_lerobot(tmp_path, "v2.1", LENGTHS, "image")
    change_info(root, splits={"train": "0:3", "val": "3:4"})
    assert module(root).held_out().tolist() == [False, False, False, True]


def test_a_test_split_beside_it_is_left_alone(tmp_path):
    root = write_lerobot(tmp_path, "v2.1", LENGTHS, "image")
    change_info(root, splits={"train": "0:2", "val": "2:3", "test": "3:4"})
    assert module(root).held_out().tolist() == [False, False, True]
    change_info(root, splits={"train": "0:3", "test": "3:4"})
    assert module(root).held_out().tolist() == [False, False, False, True]


def change_info(root: Path, **changes: object) -> None:
    path = root / "meta" / "info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def spoil(root: Path, fault: str) -> None:
    """Damages the third of the four episodes."""
    table = root / "data" / "chunk-000" / "episode_000002.parquet"
    video = root / "videos" / "chunk-000" / CAMERA / "episode_000002.mp4"
    rows = pq.read_table(table)
    match fault:
        case "a table that is cut short":
            table.write_bytes(table.read_bytes()[:-200])
        case "no table":
            table.unlink()
        case "no video":
            video.unlink()
        case "a video that is cut short":
            video.write_bytes(video.read_bytes()[:400])
        case "fewer frames than rows":
            encode(video, movie(2, 3, 64, 64), FPS, "libx264")
        case "another rate":
            encode(video, movie(2, 5, 64, 64), 7, "libx264")
        case "a missing column":
            pq.write_table(rows.drop_columns(["action"]), table)
        case "a row too few":
            pq.write_table(rows.slice(0, 4), table)
        case "NaN":
            values = rows.column("observation.state").to_pylist()
            values[1][2] = float("nan")
            pq.write_table(rows.set_column(0, "observation.state", [values]), table)
        case "a missing value":
            pq.write_table(rows.set_column(1, "action", [[*rows.column("action").to_pylist()[:-1], None]]), table)
        case "lists of different lengths":
            pq.write_table(rows.set_column(1, "action", [[[0.5], *rows.column("action").to_pylist()[1:]]]), table)
        case "an unknown task":
            pq.write_table(rows.set_column(6, "task_index", [[9] * 5]), table)


FAULTS = {
    "a table that is cut short": "cannot be read",
    "no table": "no such file",
    "no video": r"video .*episode_000002\.mp4: no such file",
    "a video that is cut short": r"video .*episode_000002\.mp4: cannot be decoded",
    "fewer frames than rows": r"video .*episode_000002\.mp4: ends behind 3 of 5 frames",
    "another rate": r"no frame at 0\.1000 s, the next is at 0\.1429 s",
    "a missing column": "column action: missing",
    "a row too few": "4 rows, expected 5 as its metadata say",
    "NaN": r"column observation\.state, timestep 1: NaN at element 2",
    "a missing value": "column action, timestep 4: missing",
    "lists of different lengths": "column action: lists of 1 to 2 values, expected equal lengths",
    "an unknown task": "column task_index: 9, which is none of the 2 tasks",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_episode_is_listed_and_left_out(tmp_path, fault):
    root = write_lerobot(tmp_path, "v2.1", LENGTHS)
    spoil(root, fault)
    task = stored(module(root, max_faults=0.5), tmp_path / "cache")
    assert task.stores["train"].num_episodes == 2
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    (line,) = listing.read_text().splitlines()
    assert re.search(rf"episode_000002\.parquet, episode 2: .*{FAULTS[fault]}", line)
