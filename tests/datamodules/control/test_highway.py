"""Driving: seeds fix episodes, the experts beat chance, and mistakes are told."""

import sys

import numpy as np
import pytest

from datamodules.collecting.collect_command import collect
from datamodules.control.highway import HighwayDataModule
from datamodules.control.suites import suite
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.errors import UserError

TASKS = suite("driving")


@pytest.fixture(scope="module", params=TASKS, ids=lambda task: task.name)
def module(request) -> HighwayDataModule:
    return request.param.make(noise=0.3, max_episode_steps=20)


def test_an_episode_is_fixed_by_its_seed_whatever_was_played_before(module):
    first = module.play(5, generator(Purpose.NOISE, 5))
    module.random_return(3)
    again = module.play(5, generator(Purpose.NOISE, 5))
    for one, other in zip(first.observations, again.observations, strict=True):
        assert module.observation_space.contains(one)
        assert one.size <= 50
        np.testing.assert_array_equal(one, other)
    assert all(module.action_space.contains(action) for action in first.actions)
    np.testing.assert_array_equal(first.actions, again.actions)
    assert first.rewards == again.rewards


@pytest.mark.parametrize("env_id", ["highway-fast-v0", "merge-v1", "racetrack-oval-v1"])
def test_the_expert_beats_chance(env_id):
    module = HighwayDataModule(env_id, max_episode_steps=40)
    played = [module.play(seed) for seed in range(4)]
    random = [module.random_return(seed) for seed in range(4)]
    assert all(module.success(one) for one in played)
    assert np.mean([one.total_reward for one in played]) > np.mean(random) * 1.2


def test_who_leaves_the_road_or_crashes_has_no_success():
    module, rng = HighwayDataModule("racetrack-v1"), np.random.default_rng(0)
    module.make_expert = lambda env: lambda observation, executed: np.ones(1, np.float32)
    assert not module.success(module.play(0, rng))


def test_the_config_is_the_environments_over_ours():
    module = HighwayDataModule("highway-fast-v0", {"lanes_count": 2, "duration": 5})
    assert module.env.unwrapped.config["lanes_count"] == 2
    assert module.observation_space.shape == (6, 5)
    assert len(module.play(0).actions) == 5


@pytest.mark.parametrize(
    ("env_id", "message"), [("merge-v2", "driving environment 'merge-v2'"), ("parking-v0", "driving environment 'parking-v0'")]
)
def test_an_environment_without_expert_is_told(env_id, message):
    with pytest.raises(UserError, match=message):
        HighwayDataModule(env_id)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "highway_env", None)
    with pytest.raises(UserError, match=r"need the extra driving: pip install -e '.\[driving\]'"):
        HighwayDataModule("merge-v1")


def test_it_draws_a_frame():
    env = HighwayDataModule("merge-v1").make_env("rgb_array")
    env.reset(seed=0)
    assert env.render().shape[2] == 3
    env.close()


def test_the_whole_suite_is_collected(tmp_path, capsys, monkeypatch):
    collect(suite="driving", episodes=1, min_score=None, out=str(tmp_path), workers=1)
    told = capsys.readouterr().out
    assert all(task.name in told for task in TASKS)
    assert (tmp_path / "driving-merge" / "expert-v0" / "data" / "metadata.json").exists()
