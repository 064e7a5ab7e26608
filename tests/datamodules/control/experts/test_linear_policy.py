"""Linear experts: written and read without change, acting in bounds, and better than chance as shipped."""

import gymnasium
import numpy as np
import pytest

from datamodules.control.experts.expert_features import FEATURES, gait, state
from datamodules.control.experts.linear_policy import EXPERTS, LinearPolicy
from gato_lightning.errors import UserError

SPACE = gymnasium.spaces.Box(-1.0, 1.0, (2,), np.float32)


def test_a_policy_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    policy = LinearPolicy(rng.normal(size=(2, 5)), rng.normal(size=2), "gait", {"period": 12.5}, {"seed": 3})
    policy.save(tmp_path / "deeper" / "policy.safetensors")
    read = LinearPolicy.load(tmp_path / "deeper" / "policy.safetensors")
    np.testing.assert_array_equal(read.weight, policy.weight)
    np.testing.assert_array_equal(read.bias, policy.bias)
    assert (read.features, read.settings, read.about) == (policy.features, policy.settings, policy.about)


@pytest.mark.parametrize("content", [None, b"", b"no such file format, but longer than a header"])
def test_what_is_no_expert_is_named(tmp_path, content):
    path = tmp_path / "policy.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"policy\.safetensors: expected an expert"):
        LinearPolicy.load(path)


def test_actions_are_linear_up_to_the_bounds():
    actor = LinearPolicy(np.array([[1.0, 0.0], [0.0, 9.0]]), np.array([0.25, 0.0])).actor(SPACE)
    action = actor(np.array([0.5, 1.0]))
    np.testing.assert_array_equal(action, np.array([0.75, 1.0], np.float32))
    assert action.dtype == SPACE.dtype


def test_each_episode_starts_the_clock_anew():
    policy = LinearPolicy(np.array([[0.0, 1.0, 0.0]]), np.zeros(1), "gait", {"period": 4, "size": 1})
    for _ in range(2):
        actor = policy.actor(SPACE)
        assert [round(float(actor(np.zeros(3))[0]), 6) for _ in range(4)] == [0, 1, 0, -1]


def test_dictionaries_are_read_in_the_order_of_their_keys():
    observation = {"velocity": np.array([3.0]), "height": np.array(1.0), "position": np.array([2.0])}
    np.testing.assert_array_equal(state()(observation, 0), [1, 2, 3])
    np.testing.assert_array_equal(gait(period=8, size=2)(observation, 2), [1, 2, 1, np.cos(np.pi / 2)])


def test_shipped_experts_are_small_and_say_how_they_were_made():
    files = sorted(EXPERTS.rglob("*.safetensors"))
    assert files
    assert sum(path.stat().st_size for path in files) < 5e6
    for path in files:
        policy = LinearPolicy.load(path)
        assert policy.features in FEATURES
        assert policy.about["environment"] == str(path.relative_to(EXPERTS).with_suffix(""))
        assert {"seed", "timesteps", "recipe", "return_mean", "return_std", "random_return_mean", "episodes"} <= set(
            policy.about
        )
        assert policy.about["literature"]
