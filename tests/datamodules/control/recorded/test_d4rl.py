"""D4RL's files: episodes out of flat arrays, and the environment that settings name."""

import h5py
import numpy as np
import pytest

from datamodules.control.recorded.d4rl import D4rlDataModule
from gato_lightning.errors import UserError
from tests.datamodules.recorded_files import write_d4rl
from tests.datamodules.vision_files import connected, stored


def module(path, **settings):
    return D4rlDataModule(**{"path": str(path), "val_episodes": 1, **settings})


def episodes(task):
    return [one for split in ("val", "train") for job in task.jobs(split) for one in job()]


def test_episodes_end_at_terminals_and_timeouts(tmp_path):
    path = write_d4rl(tmp_path)
    read = episodes(connected(module(path), tmp_path))
    assert [len(one) for one in read] == [5, 4, 6, 3]
    with h5py.File(path) as file:
        np.testing.assert_array_equal(np.concatenate([one.observations for one in read]), file["observations"])
        np.testing.assert_array_equal(np.concatenate([one.actions for one in read]), file["actions"])


def test_infos_are_observed_where_they_are_named(tmp_path):
    task = connected(module(write_d4rl(tmp_path), observations={"goal": "infos/goal", "state": "observations"}), tmp_path)
    assert {name: space.shape for name, space in task.observation_space.items()} == {"goal": (2,), "state": (4,)}


def test_a_named_environment_is_rolled_out_with_its_own_bounds(tmp_path):
    path = write_d4rl(tmp_path)
    task = stored(module(path, env_id="InvertedPendulum-v5", reference_episodes=2), tmp_path / "cache")
    control = task.control()
    assert control.make_env().spec.id == "InvertedPendulum-v5"
    assert (task.action_space.low, task.action_space.high) == (-3.0, 3.0)
    assert task.action_bounds() == {}
    assert (control.expert.mean, control.random.episodes) == (4.5, 2)


def test_an_environment_with_other_spaces_is_refused(tmp_path):
    path = write_d4rl(tmp_path)
    with pytest.raises(UserError, match=r"its observations have shape \(4,\), those of its environment \(2,\)"):
        module(path, env_id="MountainCarContinuous-v0")
    with pytest.raises(UserError, match="unknown environment 'CartPol-v1'; did you mean CartPole-v1"):
        module(path, env_id="CartPol-v1")


def test_arrays_that_are_too_short_cost_their_episodes(tmp_path):
    path = write_d4rl(tmp_path)
    with h5py.File(path, "a") as file:
        short = file["observations"][:12]
        del file["observations"]
        file["observations"] = short
    task = stored(module(path, max_faults=0.5), tmp_path / "cache")
    assert task.stores["train"].num_episodes == 1
    (listing,) = (tmp_path / "cache").glob("*.faults.txt")
    first, second = listing.read_text().splitlines()
    assert "flat.hdf5, episode 2: column observations: 3 values, expected 6 as in column actions" in first
    assert "flat.hdf5, episode 3: column observations: 0 values" in second


def test_a_file_that_does_not_tell_where_episodes_end(tmp_path):
    path = write_d4rl(tmp_path)
    with h5py.File(path, "a") as file:
        del file["timeouts"], file["terminals"]
    with pytest.raises(UserError, match="expected arrays terminals or timeouts of equal lengths"):
        module(path)
