"""RLDS folders: steps as features.json has them, splits, and what is wrong."""

import json

import numpy as np
import pytest

from datamodules.control.recorded.rlds import RldsDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.recorded_files import rlds_steps, write_rlds
from tests.datamodules.vision_files import connected, stored

WHOLE = ImageSettings(height=48, width=64)


def module(folder, **settings):
    return RldsDataModule(**{"path": str(folder), "images": WHOLE, "timesteps": None, **settings})


def read(task, split):
    return [one for job in task.jobs(split) for one in job()]


def test_the_last_step_is_an_observation_without_an_action(tmp_path):
    task = connected(module(write_rlds(tmp_path)), tmp_path)
    assert set(task.observation_space) == {"image_0", "state", "language_instruction"}
    train, val = read(task, "train"), read(task, "val")
    assert [len(one) for one in train] == [4, 3, 5]
    assert [len(one) for one in val] == [3]
    for seed, one in enumerate([*train, *val]):
        given = rlds_steps(seed, len(one) + 1)
        np.testing.assert_array_equal(one.actions, given["action"][:-1])
        np.testing.assert_array_equal(one.observations["state"], given["observation/state"][:-1])
        np.testing.assert_array_equal(one.observations["image_0"], given["observation/image_0"][:-1])
        assert one.observations["language_instruction"] == ["pick up the sponge"] * len(one)
        assert one.rewards.tolist() == given["reward"][:-1].tolist()


def test_all_is_stored(tmp_path):
    task = stored(module(write_rlds(tmp_path)), tmp_path / "cache")
    assert (task.stores["train"].num_episodes, task.stores["val"].num_episodes) == (3, 1)
    assert task.acting().expert.mean == 1.0


def test_actions_are_named_by_settings(tmp_path):
    task = connected(module(write_rlds(tmp_path), actions={"arm": "action", "pose": "observation/state"}), tmp_path)
    assert {name: space.shape for name, space in task.action_space.items()} == {"arm": (3,), "pose": (2, 2)}
    assert set(task.observation_space) == {"image_0", "language_instruction"}


def test_several_versions_are_told_apart(tmp_path):
    write_rlds(tmp_path / "a")
    write_rlds(tmp_path / "b")
    with pytest.raises(UserError, match=r"2 folders with a features\.json .*expected the folder of one version"):
        module(tmp_path)
    with pytest.raises(UserError, match=r"no features\.json in it"):
        module(tmp_path / "none")


def test_a_file_that_is_cut_short_costs_its_last_record(tmp_path):
    root = write_rlds(tmp_path)
    path = root / "1.0.0" / "made_up-train.tfrecord-00000-of-00002"
    path.write_bytes(path.read_bytes()[:-100])
    task = stored(module(root, max_faults=0.5), tmp_path / "cache")
    assert task.stores["train"].num_episodes == 2
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    assert "00000-of-00002, record 1: the file breaks off in it" in listing.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('"dimensions": ["3"]', '"dimensions": ["7"]'), r"column action: 15 values, expected a multiple of 7"),
        (('"steps"', '"stairs"'), r"features\.json: cannot be read, or has no steps"),
        (("{", ""), r"features\.json: cannot be read"),
    ],
)
def test_features_that_do_not_fit(tmp_path, change, message):
    root = write_rlds(tmp_path)
    path = root / "1.0.0" / "features.json"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(UserError, match=message):
        module(root)


def test_no_record_files(tmp_path):
    (tmp_path / "1.0.0").mkdir()
    (tmp_path / "1.0.0" / "features.json").write_text(json.dumps({}))
    with pytest.raises(UserError, match="has no steps"):
        module(tmp_path)
