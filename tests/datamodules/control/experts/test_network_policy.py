"""Experts as networks: written and read without change, acting in bounds, and shipped with what they reach."""

import itertools

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.experts.expert_features import FEATURES
from datamodules.control.experts.network_policy import EXPERTS, NetworkPolicy
from gato_lightning.errors import UserError

BOX = spaces.Box(np.float32([-1, -2]), np.float32([1, 6]))


class Env(gymnasium.Env):
    def __init__(self, observation_space, action_space):
        self.observation_space, self.action_space = observation_space, action_space


def network(rng: np.random.Generator, *sizes: int, **settings) -> NetworkPolicy:
    weights = tuple(rng.normal(size=(n, m)).astype(np.float16) for m, n in itertools.pairwise(sizes))
    return NetworkPolicy(weights, tuple(rng.normal(size=n).astype(np.float16) for n in sizes[1:]), **settings)


def test_a_policy_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    moments = {"mean": rng.normal(size=5).astype(np.float32), "deviation": np.ones(5, np.float32)}
    policy = network(rng, 5, 7, 2, activation="tanh", output="tanh", about={"seed": 3}, settings={"a": 1}, **moments)
    policy.save(tmp_path / "deeper" / "policy.safetensors")
    read = NetworkPolicy.load(tmp_path / "deeper" / "policy.safetensors")
    assert policy.tensors().keys() == read.tensors().keys()
    for name, tensor in policy.tensors().items():
        np.testing.assert_array_equal(tensor, read.tensors()[name])
    assert (read.activation, read.output, read.settings, read.about) == ("tanh", "tanh", {"a": 1}, {"seed": 3})
    first = (tmp_path / "deeper" / "policy.safetensors").read_bytes()
    read.save(tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == first


@pytest.mark.parametrize("content", [None, b"", b"no such file format, but longer than a header"])
def test_what_is_no_expert_is_named(tmp_path, content):
    path = tmp_path / "policy.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=r"policy\.safetensors: expected an expert"):
        NetworkPolicy.load(path)


def test_a_single_layer_is_a_linear_law_cut_off_at_the_bounds():
    policy = NetworkPolicy((np.array([[1.0, 0.0], [0.0, 9.0]]),), (np.array([0.25, 0.0]),))
    action = policy.act(np.array([0.5, 1.0]), BOX)
    np.testing.assert_array_equal(action, np.float32([0.75, 6.0]))
    assert action.dtype == BOX.dtype


def test_squashed_outputs_are_stretched_to_the_bounds():
    policy = NetworkPolicy((np.array([[100.0], [0.0]]),), (np.zeros(2),), output="tanh")
    np.testing.assert_allclose(policy.act(np.array([1.0]), BOX), [1.0, 2.0])


def test_features_are_normalised_and_clipped():
    policy = NetworkPolicy((np.ones((2, 1)),), (np.zeros(2),), mean=np.float32([5.0]), deviation=np.float32([2.0]))
    wide = spaces.Box(-100, 100, (2,))
    np.testing.assert_array_equal(policy.act(np.array([9.0]), wide), [2, 2])
    np.testing.assert_array_equal(policy.act(np.array([999.0]), wide), [10, 10])


def test_the_largest_output_is_a_discrete_action_counted_from_the_start():
    policy = NetworkPolicy((np.array([[1.0], [3.0], [2.0]]),), (np.zeros(3),), output="argmax")
    assert policy.act(np.array([1.0]), spaces.Discrete(3, start=4)) == 5


def test_dictionaries_are_flattened_in_the_order_of_their_space():
    space = spaces.Dict({"b": spaces.Box(-9, 9, (1,)), "a": spaces.Box(-9, 9, (2,))})
    policy = NetworkPolicy((np.eye(3),), (np.zeros(3),))
    act = policy.actor(Env(space, spaces.Box(-9, 9, (3,))))
    np.testing.assert_array_equal(act({"b": np.float32([3]), "a": np.float32([1, 2])}), [1, 2, 3])


def test_shipped_experts_are_small_and_say_how_they_were_made():
    files = sorted(EXPERTS.rglob("*.safetensors"))
    assert files
    assert sum(path.stat().st_size for path in files) < 15e6
    for path in files:
        policy = NetworkPolicy.load(path)
        assert policy.features in {"", *FEATURES}
        assert policy.about["environment"] == str(path.relative_to(EXPERTS).with_suffix(""))
        assert {"algorithm", "timesteps", "return_mean", "return_std", "random_return_mean", "episodes"} <= set(policy.about)
        assert policy.about["episodes"] >= 100
        assert policy.about["return_mean"] > policy.about["random_return_mean"]
