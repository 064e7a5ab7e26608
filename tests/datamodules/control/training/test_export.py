"""An exported policy acts as the model that it was taken from."""

import gymnasium
import numpy as np
import pytest

from datamodules.control.training.export import exported
from gato_lightning.errors import UserError

stable_baselines3 = pytest.importorskip("stable_baselines3", reason="the extra experts is not installed")
sb3_contrib = pytest.importorskip("sb3_contrib", reason="the extra experts is not installed")

CONTINUOUS = ("PPO", "A2C", "SAC", "TD3", "TQC", "CrossQ", "TRPO", "ARS")
DISCRETE = ("PPO", "A2C", "DQN", "TRPO", "ARS")
CASES = [(name, "Pendulum-v1") for name in CONTINUOUS] + [(name, "CartPole-v1") for name in DISCRETE]


def made(name: str, env_id: str, **settings):
    package = stable_baselines3 if hasattr(stable_baselines3, name) else sb3_contrib
    return getattr(package, name)("LinearPolicy" if name == "ARS" else "MlpPolicy", env_id, seed=0, device="cpu", **settings)


@pytest.mark.parametrize(("name", "env_id"), CASES)
def test_actions_are_the_models_to_half_precision(name, env_id):
    model = made(name, env_id)
    if name == "CrossQ":  # running moments other than 0 and 1, which fold into the layers
        for module in model.policy.actor.latent_pi:
            if hasattr(module, "ra_mean"):
                module.ra_mean.normal_()
                module.ra_var.uniform_(0.5, 2)
    model.policy.set_training_mode(False)
    policy, rng = exported(model, None), np.random.default_rng(0)
    observations = rng.uniform(-2, 2, (200, *model.observation_space.shape)).astype(np.float32)
    expected = model.predict(observations, deterministic=True)[0]
    acted = [policy.act(observation, model.action_space) for observation in observations]
    if env_id == "CartPole-v1":
        assert np.mean(np.array(acted) == expected) >= 0.98  # rounding decides where two actions are equally good
    else:
        np.testing.assert_allclose(acted, expected, atol=0.02)


def test_the_statistics_of_vec_normalize_go_with_it():
    vec_env = stable_baselines3.common.vec_env
    env = vec_env.VecNormalize(vec_env.DummyVecEnv([lambda: gymnasium.make("Pendulum-v1")]))
    model = stable_baselines3.PPO("MlpPolicy", env, n_steps=64, seed=0, device="cpu").learn(64)
    policy = exported(model, env)
    observation = np.float32([0.5, -0.5, 3.0])
    expected = model.predict(env.normalize_obs(observation), deterministic=True)[0]
    np.testing.assert_allclose(policy.act(observation, model.action_space), expected, atol=0.02)


def test_other_parts_are_refused_by_name():
    model = made("PPO", "Pendulum-v1", policy_kwargs={"activation_fn": __import__("torch").nn.SiLU})
    with pytest.raises(UserError, match="a policy with a SiLU cannot be written"):
        exported(model, None)
