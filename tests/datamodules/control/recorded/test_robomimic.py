"""robomimic's files: demonstrations, masks and environments."""

import h5py
import numpy as np
import pytest

from datamodules.control.recorded.robomimic import RobomimicDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.recorded_files import write_robomimic
from tests.datamodules.vision_files import connected, stored

SMALL = ImageSettings(height=16, width=16)
GYM = {"env_name": "CartPole-v1", "type": 2, "env_kwargs": {"sutton_barto_reward": True}}


def module(path, **settings):
    return RobomimicDataModule(**{"path": str(path), "images": SMALL, "timesteps": None, **settings})


def read(task, split):
    return [one for job in task.jobs(split) for one in job()]


def test_what_is_under_obs_is_observed_and_masks_are_the_splits(tmp_path):
    task = connected(module(write_robomimic(tmp_path)), tmp_path)
    assert set(task.observation_space) == {"agentview_image", "eef_pos"}
    train, val = read(task, "train"), read(task, "val")
    assert [len(one) for one in train] == [5, 6, 3, 5]
    assert [len(one) for one in val] == [4]
    rng = np.random.default_rng(0)
    np.testing.assert_array_equal(train[0].actions, rng.uniform(-1, 1, (5, 2)))
    assert train[0].rewards.tolist() == [0, 0, 0, 0, 1]


def test_other_masks_may_be_named(tmp_path):
    path = write_robomimic(tmp_path)
    task = connected(module(path, train_mask="few", val_mask="valid"), tmp_path)
    assert [len(read(task, split)) for split in ("train", "val")] == [2, 1]
    with pytest.raises(UserError, match=r"unknown mask in .*demos\.hdf5 'feww'; did you mean few"):
        module(path, train_mask="feww")


def test_demonstrations_come_in_the_order_of_their_numbers(tmp_path):
    path = write_robomimic(tmp_path, lengths=[3] * 12)
    with h5py.File(path, "a") as file:
        del file["mask"]
    names = [recording.where for recording in module(path).recordings]
    assert names == [f"demo_{number}" for number in range(12)]


def test_the_environment_of_the_file_is_rolled_out(tmp_path):
    def flat(steps):
        return np.zeros((steps, 4), np.float32)

    def pushes(steps):
        return np.arange(steps) % 2

    path = write_robomimic(tmp_path, env_args=GYM, **{"obs/flat": flat})
    with h5py.File(path, "a") as file:
        for demo in file["data"].values():
            del demo["actions"], demo["obs/agentview_image"], demo["obs/eef_pos"]
            demo["actions"] = pushes(demo.attrs["num_samples"])
    task = stored(module(path, reference_episodes=3, timesteps=1), tmp_path / "cache")
    control = task.control()
    assert control.make_env().unwrapped._sutton_barto_reward
    assert control.random.episodes == 3
    assert control.expert.mean == 1.0
    assert module(path, rollouts=False).playable is False


def test_an_environment_that_does_not_fit_is_told(tmp_path, caplog):
    with caplog.at_level("INFO"):
        task = module(write_robomimic(tmp_path, env_args=GYM))
    assert not task.playable
    assert "not rolled out, as its environment cannot be used" in caplog.text


def test_an_environment_of_robosuite_is_left_alone(tmp_path):
    task = stored(module(write_robomimic(tmp_path)), tmp_path / "cache")
    assert task.control() is None
    assert task.acting().expert.mean == 1.0


def test_faults_name_file_demonstration_and_column(tmp_path):
    path = write_robomimic(tmp_path)
    with h5py.File(path, "a") as file:
        del file["data/demo_2/obs/eef_pos"]
        file["data/demo_2/obs/eef_pos"] = np.zeros((4, 3))
        file["data/demo_3/rewards"][1] = np.nan
    task = stored(module(path, max_faults=0.5), tmp_path / "cache")
    assert task.stores["train"].num_episodes == 2
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    first, second = listing.read_text().splitlines()
    assert "demos.hdf5, demo_2: column obs/eef_pos: 4 values, expected 6 as num_samples says" in first
    assert "demos.hdf5, demo_3: column rewards, timestep 1: NaN" in second


def test_a_file_of_another_kind(tmp_path):
    with h5py.File(tmp_path / "x.hdf5", "w") as file:
        file["a"] = np.zeros(3)
    with pytest.raises(UserError, match="no group `data`, expected a file of robomimic"):
        module(tmp_path / "x.hdf5")
