"""Episodes as .npz files and JSON Lines: what is guessed, what settings change, what is faulty."""

import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces
from PIL import Image

from datamodules.control.recorded.episodes import EpisodesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import connected, photograph, stored

SMALL = ImageSettings(height=16, width=32)
STEPS = 5


def arrays(seed: int, steps: int = STEPS) -> dict[str, np.ndarray]:
    """An episode with a camera, a state, a task text, and one observation more than actions."""
    rng = np.random.default_rng(seed)
    return {
        "observation/image": np.stack([np.asarray(photograph(100 * seed + t, 64, 48)) for t in range(steps + 1)]),
        "observation/state": rng.normal(size=(steps + 1, 3)),
        "task": np.array("push the cup"),
        "action": rng.normal(size=(steps, 2)).astype(np.float32) * [1.0, 50.0],
        "reward": np.ones(steps),
        "done": np.arange(steps) == steps - 1,
        "camera_matrix": np.eye(3),
    }


def write(folder: Path, episodes: int = 6, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in range(episodes):
        np.savez(folder / f"{seed}.npz", **{**arrays(seed), **changes})
    return folder


def module(folder: Path, **settings: object) -> EpisodesDataModule:
    return EpisodesDataModule(**{"path": str(folder), "images": SMALL, "val_episodes": 2, **settings})


def episodes(task: EpisodesDataModule) -> list:
    return [one for split in ("train", "val") for job in task.jobs(split) for one in job()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "npz")


def test_spaces_are_guessed_and_told(folder, tmp_path, caplog):
    with caplog.at_level("INFO"):
        task = connected(module(folder), tmp_path)
    assert set(task.observation_space) == {"image", "state", "task"}
    assert task.observation_space["image"] == SMALL.space()
    assert task.observation_space["state"] == spaces.Box(-np.inf, np.inf, (3,), np.float32)
    assert isinstance(task.observation_space["task"], spaces.Text)
    assert isinstance(task.action_space, spaces.Box)
    assert "6 episodes; observation: image = observation/image (image)" in caplog.text
    assert "not used: camera_matrix, done" in caplog.text


def test_everything_is_stored_and_whole_episodes_are_held_out(folder, tmp_path):
    task = stored(module(folder, timesteps=None), tmp_path)
    train, val = task.stores["train"], task.stores["val"]
    assert (train.num_episodes, val.num_episodes) == (4, 2)
    assert train.num_timesteps == 4 * STEPS
    assert train.returns.tolist() == [STEPS] * 4
    assert task.acting().expert.mean == STEPS
    assert task.control() is None


def test_values_are_those_of_the_files(folder, tmp_path):
    (first, *_) = episodes(connected(module(folder), tmp_path))
    given = arrays(1)  # episode 0 is held out
    np.testing.assert_array_equal(first.observations["state"], given["observation/state"][:-1])
    np.testing.assert_array_equal(first.actions, given["action"])
    shown = [SMALL.convert(Image.fromarray(image)) for image in given["observation/image"][:-1]]
    np.testing.assert_array_equal(first.observations["image"], shown)
    assert first.observations["task"] == ["push the cup"] * STEPS


def test_actions_come_back_within_half_a_bin_unless_they_are_clipped(folder, tmp_path):
    task = stored(module(folder), tmp_path)
    given = np.concatenate([arrays(seed)["action"] for seed in range(6)])
    low, high = task.action_space.low, task.action_space.high
    inside = ((given >= low) & (given <= high)).all(axis=1)
    ids = [row for row, _ in task.tokenizer.encode_actions(list(given))]
    back = np.array(task.tokenizer.decode_actions(ids))
    assert (np.abs(back - given)[inside] <= (high - low) / 1024 * 0.51).all()
    np.testing.assert_allclose(back, np.clip(given, low, high), atol=float((high - low).max()) / 1024)
    assert (high[1] - low[1]) > 20 * (high[0] - low[0])  # each element has its own range


def test_keys_are_named_and_cameras_stand_in_their_order(tmp_path):
    image = arrays(0)["observation/image"]
    data = write(tmp_path / "two", extra=image[:, ::-1])
    task = connected(module(data, observations={"views": ["extra", "observation/image"]}, actions={"arm": "action"}), tmp_path)
    assert task.observation_space == spaces.Dict({"views": spaces.Tuple([SMALL.space()] * 2)})
    assert list(task.action_space) == ["arm"]
    (first, *_) = episodes(task)
    assert (first.observations["views"][0] == SMALL.convert(Image.fromarray(image[0, ::-1]))[None]).all(axis=(1, 2, 3))[0]


def test_one_key_alone_is_observed_by_itself(folder, tmp_path):
    task = connected(module(folder, observations="observation/state"), tmp_path)
    assert task.observation_space == spaces.Box(-np.inf, np.inf, (3,), np.float32)


def test_every_second_timestep_keeps_the_return(folder, tmp_path):
    (first, *_) = episodes(connected(module(folder, every=2), tmp_path))
    assert len(first) == 3
    assert first.rewards.tolist() == [2.0, 2.0, 1.0]
    np.testing.assert_array_equal(first.actions, arrays(1)["action"][::2])


def test_success_is_the_return_where_there_are_no_rewards(tmp_path):
    for seed in range(4):
        values = {key: value for key, value in arrays(seed).items() if key != "reward"}
        folder = tmp_path / "s"
        folder.mkdir(exist_ok=True)
        np.savez(folder / f"{seed}.npz", success=np.arange(STEPS) == (STEPS - 1 if seed % 2 else -1), **values)
    task = connected(module(tmp_path / "s", val_episodes=1), tmp_path / "cache")
    assert [episode.rewards.sum() for episode in episodes(task)] == [1, 0, 1, 0]


def test_whole_numbers_and_truth_values(tmp_path):
    data = write(
        tmp_path / "d",
        action=np.array([0, 3, 1, 2, 0]),
        board=np.arange(STEPS * 4).reshape(STEPS, 2, 2),
        far=np.arange(STEPS) * 1000,
        flag=np.ones(STEPS, bool),
    )
    task = connected(module(data, observations={key: key for key in ("board", "far", "flag")}), tmp_path)
    assert task.action_space == spaces.Discrete(4)
    assert task.observation_space["board"] == spaces.MultiDiscrete(np.full((2, 2), 20))
    assert task.observation_space["far"] == spaces.Box(-np.inf, np.inf, (), np.float32)
    assert task.observation_space["flag"] == spaces.Discrete(2)
    assert stored(task, tmp_path).stores["train"].num_episodes == 4


def lines(folder: Path, rows: list[object], name: str = "data.jsonl") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def step(t: int, **more: object) -> dict[str, object]:
    return {"observation": {"x": [t * 0.5, 1]}, "action": t % 3, "reward": 0.5, **more}


@pytest.mark.parametrize("by", ["episode", "done"])
def test_json_lines_are_episodes_by_number_or_by_their_ends(tmp_path, by):
    marks = [{"episode": 7 + e} if by == "episode" else {"done": t == e + 1} for e in range(3) for t in range(e + 2)]
    data = lines(tmp_path / "j", [step(t, **mark) for t, mark in enumerate(marks)])
    task = connected(module(data, val_episodes=1), tmp_path / "cache")
    assert sorted(len(episode) for episode in episodes(task)) == [2, 3, 4]
    assert task.action_space == spaces.Discrete(3)


def test_json_lines_name_image_files_of_their_folder(tmp_path):
    data = lines(tmp_path / "j", [step(t, image=f"{t}.png", episode=t // 2) for t in range(6)])
    for t in range(6):
        photograph(t).save(data / f"{t}.png")
    task = connected(module(data, val_episodes=1), tmp_path / "cache")
    shown = episodes(task)[-1].observations["image"]
    np.testing.assert_array_equal(shown[0], SMALL.read(data / "0.png", ""))


def spoil(folder: Path, fault: str) -> None:
    """Damages episode 3."""
    path = folder / "3.npz"
    values = arrays(3)
    match fault:
        case "cut short":
            path.write_bytes(path.read_bytes()[:3000])
            return
        case "no archive":
            path.write_text("nothing")
            return
        case "a broken member":
            raw = bytearray(path.read_bytes())
            with zipfile.ZipFile(path) as file:
                where = file.getinfo("action.npy").header_offset
            raw[where + 60 : where + 150] = bytes(90)
            path.write_bytes(raw)
            return
        case "missing":
            del values["observation/state"]
        case "other lengths":
            values["observation/state"] = values["observation/state"][:3]
        case "NaN":
            values["observation/state"][2, 1] = np.nan
        case "NaN in an action":
            values["action"][4, 0] = np.nan
        case "another shape":
            values["action"] = np.zeros((STEPS, 3), np.float32)
        case "texts":
            values["action"] = np.array(["left"] * STEPS)
        case "objects":
            values["action"] = np.array([{}] * STEPS)
        case "no timesteps":
            values = {key: value[:0] if np.ndim(value) else value for key, value in values.items()}
        case "a reward too few":
            values["reward"] = np.ones(STEPS - 1)
    np.savez(path, **values)


FAULTS = {
    "cut short": "cannot be read",
    "no archive": "cannot be read",
    "a broken member": "cannot be read",
    "missing": "column observation/state: missing",
    "other lengths": "column observation/state: 3 values, expected 5 as in column action",
    "NaN": "column observation/state, timestep 2: NaN at element 1",
    "NaN in an action": "column action, timestep 4: NaN at element 0",
    "another shape": r"column action: values of shape \(3,\), expected \(2,\)",
    "texts": "column action: text, expected real numbers",
    "objects": "cannot be read",
    "no timesteps": "no timesteps",
    "a reward too few": "column reward: 4 values, expected 5",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_episode_is_listed_and_left_out(tmp_path, fault):
    data = write(tmp_path / "d")
    spoil(data, fault)
    task = stored(module(data, max_faults=0.5, observations="observation/state"), tmp_path / "cache")
    assert task.stores["train"].num_episodes == 3
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    (line,) = listing.read_text().splitlines()
    assert re.search(rf"3\.npz: {FAULTS[fault]}", line)
    with pytest.raises(UserError, match=rf"more than the share .*3\.npz: {FAULTS[fault]}"):
        stored(module(data, observations="observation/state"), tmp_path / "cache2")


def test_images_of_several_sizes_and_episodes_of_one_step(tmp_path):
    data = write(tmp_path / "d")
    one = {key: value[:1] if np.ndim(value) else value for key, value in arrays(9).items()}
    np.savez(data / "9.npz", **{**one, "observation/image": np.zeros((1, 20, 90, 3), np.uint8)})
    task = stored(module(data, val_episodes=1, max_faults=0), tmp_path / "cache")
    assert (task.stores["train"].num_episodes, task.stores["train"].num_timesteps) == (6, 5 * STEPS + 1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"actions": "actoin"}, r"0\.npz: unknown column 'actoin'; did you mean action\?"),
        ({"observations": {"image": "image"}}, "unknown column 'image'; known: action, camera_matrix, .*observation/image"),
        ({"rewards": "r"}, "unknown column 'r'"),
        ({"actions": "observation/image"}, "column observation/image: an image cannot be an action"),
        ({"path": "nowhere"}, "nowhere: no such file or folder"),
    ],
)
def test_a_mistake_in_the_settings_is_told_in_a_line(folder, settings, message):
    with pytest.raises(UserError, match=message) as error:
        module(folder, **settings)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("{", r"data\.jsonl:4: not JSON"),
        (
            json.dumps({"observation": {"x": [1, 2, 3]}, "action": 0, "reward": 0, "episode": 1}),
            "column observation.x: values of",
        ),
        (json.dumps({"observation": {"x": [1, 2]}, "reward": 0, "episode": 1}), "column action, timestep 1: missing"),
    ],
)
def test_a_faulty_line_costs_its_episode(tmp_path, row, message):
    data = lines(tmp_path / "j", [])
    rows = [json.dumps(step(t, episode=t // 2)) for t in range(8)]
    (data / "data.jsonl").write_text("\n".join([*rows[:2], rows[2], row, *rows[4:]]))
    task = stored(module(data, val_episodes=1, max_faults=0.5), tmp_path / "cache")
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    assert re.search(message, listing.read_text())
    assert task.stores["train"].num_episodes == 2


def test_no_image_is_read_from_outside_the_folder(tmp_path):
    photograph(0).save(tmp_path / "secret.png")
    data = lines(tmp_path / "j", [step(t, image="../secret.png", episode=t // 2) for t in range(6)])
    with pytest.raises(UserError, match="leads out of the image folder"):
        module(data)


def test_a_changed_file_makes_another_store(tmp_path):
    data = write(tmp_path / "d")
    first = connected(module(data), tmp_path / "cache").folder("train")
    assert connected(module(data), tmp_path / "cache").folder("train") == first
    np.savez(data / "1.npz", **arrays(7))
    assert connected(module(data), tmp_path / "cache").folder("train") != first


def test_a_part_of_a_stream_holds_training_episodes(folder, tmp_path):
    task = connected(module(folder, sequences_per_part=2), tmp_path)
    assert task.stored_splits == ("val",)
    assert sum(len(list(job())) for job in task.jobs("train")) == 4
