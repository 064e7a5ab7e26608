"""Models of Stable-Baselines3: each is what its file says, and acts as it does there."""

import importlib.util
import json
import pickle
import zipfile
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from datamodules.control.experts.stable_baselines import PACKAGES, StableBaselines, algorithm
from datamodules.control.policy import PolicyDataModule
from gato_lightning.errors import UserError

sb3 = pytest.importorskip("stable_baselines3")
contrib = pytest.importorskip("sb3_contrib")
DISCRETE = ("A2C", "DQN", "MaskablePPO", "PPO", "QRDQN", "TRPO")


class Masked(gymnasium.Wrapper):
    """Forbids the first action of CartPole."""

    def action_masks(self):
        return np.array([False, True])


class OwnPolicy(contrib.common.recurrent.policies.RecurrentActorCriticPolicy):
    """A user's own."""


def environment(name: str) -> gymnasium.Env:
    if name == "MaskablePPO":
        return Masked(gymnasium.make("CartPole-v1"))
    return gymnasium.make("CartPole-v1" if name in DISCRETE else "Pendulum-v1")


def saved(name: str, folder: Path, policy=None):
    """An untrained model and its file."""
    kind = getattr(sb3, name, None) or getattr(contrib, name)
    policy = policy or ("MlpLstmPolicy" if name == "RecurrentPPO" else "MlpPolicy")
    model = kind(policy, environment(name), seed=0, device="cpu")
    model.save(folder / "model.zip")
    return model, str(folder / "model.zip")


@pytest.mark.parametrize("name", [*PACKAGES, "DDPG"])
def test_each_algorithm_is_known_and_acts_as_itself(tmp_path, name):
    model, file = saved(name, tmp_path)
    policy = StableBaselines(file)
    assert policy.algorithm == {"DDPG": "TD3"}.get(name, name)
    env = environment(name)
    observation, _ = env.reset(seed=0)
    masks = {"action_masks": env.action_masks()} if name == "MaskablePPO" else {}
    wanted, _ = model.predict(observation, deterministic=True, **masks)
    np.testing.assert_array_equal(policy(env)(observation), wanted)


def test_a_recurrent_policy_remembers_its_episode_and_nothing_else(tmp_path):
    model, file = saved("RecurrentPPO", tmp_path)
    policy, env = StableBaselines(file), environment("RecurrentPPO")
    observations = [np.array([np.cos(x), np.sin(x), x], np.float32) for x in range(6)]
    wanted, state = [], None
    for observation in observations:
        action, state = model.predict(observation, state, np.array([state is None]), deterministic=True)
        wanted.append(action)
    for _ in range(2):
        act = policy(env)
        np.testing.assert_array_equal([act(observation) for observation in observations], wanted)
    assert not np.array_equal(policy(env)(observations[-1]), wanted[-1])


def test_a_policy_of_the_users_own_is_told_by_the_settings(tmp_path):
    _, file = saved("RecurrentPPO", tmp_path, OwnPolicy)
    assert StableBaselines(file).algorithm == "RecurrentPPO"


def test_an_algorithm_of_later_versions_is_not_taken_for_another(tmp_path):
    _, file = saved("SAC", tmp_path)
    settings = json.loads(zipfile.ZipFile(file).read("data"))
    settings["policy_class"]["__module__"] = "sb3_contrib.newest.policies"
    assert algorithm(settings) is None


def test_what_is_not_installed_is_told_in_one_line(tmp_path, monkeypatch):
    _, file = saved("TQC", tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="a model of TQC, needs sb3-contrib; install it with the extra 'sb3' of this project"):
        StableBaselines(file)


def test_masks_are_needed(tmp_path):
    _, file = saved("MaskablePPO", tmp_path)
    with pytest.raises(UserError, match="a MaskablePPO, but the environment has no `action_masks`"):
        StableBaselines(file)(environment("PPO"))


def normalised(make, keys=None, steps: int = 40):
    env = sb3.common.vec_env.VecNormalize(sb3.common.vec_env.DummyVecEnv([make]), clip_obs=1.5, norm_obs_keys=keys)
    env.action_space.seed(0)
    env.reset()
    for _ in range(steps):
        env.step(env.action_space.sample()[None])
    env.training = False
    return env


@pytest.mark.parametrize("place", ["vecnormalize.pkl", "vec_normalize.pkl", "Pendulum-v1/vecnormalize.pkl"])
def test_statistics_beside_the_file_are_applied(tmp_path, place):
    env = normalised(lambda: gymnasium.make("Pendulum-v1"))
    model, file = saved("SAC", tmp_path)
    observation = np.array([0.2, 0.9, -5.0], np.float32)
    without = PolicyDataModule("Pendulum-v1", file).settings()
    path = tmp_path / place
    if path.parent != tmp_path:
        path.parent.mkdir()
        (path.parent / "config.yml").write_text("")
    env.save(path)
    act = StableBaselines(file)(gymnasium.make("Pendulum-v1"))
    wanted = model.predict(env.normalize_obs(observation), deterministic=True)[0]
    np.testing.assert_array_equal(act(observation), wanted)
    assert not np.array_equal(wanted, model.predict(observation, deterministic=True)[0])
    assert PolicyDataModule("Pendulum-v1", file).settings() != without


def test_statistics_that_do_not_fit_are_refused_in_one_line(tmp_path):
    _, file = saved("A2C", tmp_path)
    normalised(lambda: gymnasium.make("Pendulum-v1")).save(tmp_path / "vecnormalize.pkl")
    with pytest.raises(UserError, match=r"statistics of observations of shape \(3,\), .* move them elsewhere"):
        StableBaselines(file)(gymnasium.make("CartPole-v1"))
    (tmp_path / "vec_normalize.pkl").write_bytes(b"")
    with pytest.raises(UserError, match=r"vec_normalize\.pkl and .*vecnormalize\.pkl, expected one file"):
        StableBaselines(file)


def test_reading_statistics_runs_no_code(tmp_path):
    _, file = saved("PPO", tmp_path)
    (tmp_path / "vecnormalize.pkl").write_bytes(pickle.dumps(_Bomb(tmp_path / "exploded")))
    with pytest.raises(UserError, match="not statistics of VecNormalize"):
        StableBaselines(file)
    assert not (tmp_path / "exploded").exists()


class _Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")
