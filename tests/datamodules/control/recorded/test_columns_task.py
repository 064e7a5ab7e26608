"""What all readers have in common, on episodes in memory; the formats' own tests have the rest."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.control.column_ranges import ActionScaling
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.recording import Recording
from gato_lightning.errors import UserError
from tests.datamodules.vision_files import connected, stored


class InMemory(ColumnsTask):
    """Episodes in memory, without files whose change could be told."""

    domain = "memory"

    def __init__(self, episodes, **kwargs):
        super().__init__(**kwargs)
        self.held = episodes
        splits = [one.pop("split", None) for one in episodes]
        self.describe([Recording(Path("m"), f"episode {n}", n, split) for n, split in enumerate(splits)], "memory")

    def settings(self):
        return {key: value for key, value in super().settings().items() if key != "episodes"}

    def fingerprints(self):
        return []

    def read(self, recording, keys):
        return self.held[recording.where]


def episode(seed: int, steps: int = 4, **more) -> dict:
    rng = np.random.default_rng(seed)
    return {"obs": rng.normal(size=(steps, 2)), "action": rng.normal(size=(steps, 3)), **more}


def test_a_data_sets_own_splits_are_used(tmp_path):
    task = stored(InMemory([episode(n, split="val" if n == 2 else "train") for n in range(5)]), tmp_path)
    assert (task.stores["train"].num_episodes, task.stores["val"].num_episodes) == (4, 1)


def test_without_splits_episodes_are_held_out_evenly(tmp_path):
    task = InMemory([episode(n) for n in range(9)], val_episodes=3)
    assert np.flatnonzero(task.held_out()).tolist() == [0, 4, 8]
    assert InMemory([episode(n) for n in range(2)]).held_out().sum() == 1


def test_one_episode_is_too_few():
    with pytest.raises(UserError, match="memory: 1 episodes, expected at least 2"):
        InMemory([episode(0)])


def test_a_faulty_first_episode_does_not_hide_what_the_columns_are(tmp_path):
    broken = {"obs": np.zeros((4, 2))}
    task = stored(InMemory([broken, *(episode(n) for n in range(5))], max_faults=0.5, val_episodes=2), tmp_path)
    assert task.action_space.shape == (3,)
    assert task.num_episodes == 6


def test_faulty_values_do_not_count_in_the_bounds(tmp_path):
    wrong = episode(0)
    wrong["action"][1] = 1e9
    wrong["action"][2] = np.nan
    clean = [episode(n) for n in range(1, 6)]
    task = connected(InMemory([*clean, wrong]), tmp_path / "a")
    assert task.action_space == connected(InMemory(clean), tmp_path / "b").action_space


def test_actions_of_several_parts_are_found(tmp_path):
    parts = {"obs": np.zeros((3, 1)), "action/arm": np.zeros((3, 2)), "action/stop": np.array([0, 1, 0])}
    task = connected(InMemory([dict(parts), dict(parts)]), tmp_path)
    assert set(task.action_space) == {"arm", "stop"}


def test_a_key_that_is_nowhere_is_named():
    with pytest.raises(UserError, match="no column action or actions; set `actions` to one of act, obs"):
        InMemory([{"obs": np.zeros((3, 1)), "act": np.zeros((3, 1))}] * 2)
    with pytest.raises(UserError, match="no column to observe"):
        InMemory([{"action": np.zeros((3, 1))}] * 2)


def test_bounds_that_are_given_are_those_of_actions_alone(tmp_path):
    episodes = [episode(n, board=np.arange(8).reshape(4, 2)) for n in range(4)]
    scaling = ActionScaling(low=[-1.0] * 3, high=[2.0] * 3)
    task = connected(InMemory(episodes, scaling=scaling, observations="board"), tmp_path)
    assert task.observation_space.nvec.tolist() == [8, 8]


def test_bounds_that_are_given_do_not_change_with_the_data(tmp_path):
    scaling = ActionScaling(low=[-1.0] * 3, high=[2.0] * 3)
    for count in (4, 9):
        task = connected(InMemory([episode(n) for n in range(count)], scaling=scaling), tmp_path / str(count))
        assert task.action_bounds() == {"action": [[-1.0] * 3, [2.0] * 3]}
