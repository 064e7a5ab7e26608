"""Statistics of VecNormalize, read without running code."""

import pickle

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.experts.stable_baselines import StableBaselines
from datamodules.control.experts.vec_normalize import VecNormalize

sb3 = pytest.importorskip("stable_baselines3")


def normalised(make, keys=None, steps: int = 40):
    env = sb3.common.vec_env.VecNormalize(sb3.common.vec_env.DummyVecEnv([make]), clip_obs=1.5, norm_obs_keys=keys)
    env.action_space.seed(0)
    env.reset()
    for _ in range(steps):
        env.step(env.action_space.sample()[None])
    env.training = False
    return env


class Parts(gymnasium.ObservationWrapper):
    """Pendulum's observation as two parts, one of which is no array of numbers to normalise."""

    def __init__(self, env):
        super().__init__(env)
        self.observation_space = spaces.Dict({"angle": spaces.Box(-1, 1, (2,)), "side": spaces.Discrete(2)})

    def observation(self, observation):
        return {"angle": observation[:2], "side": int(observation[1] > 0)}


def test_statistics_of_a_checkpoint_and_of_an_observation_in_parts(tmp_path):
    def make():
        return Parts(gymnasium.make("Pendulum-v1"))

    env = normalised(make, ["angle"])
    model = sb3.PPO("MultiInputPolicy", env, n_steps=8, seed=0, device="cpu")
    model.save(tmp_path / "run_40_steps.zip")
    env.save(tmp_path / "run_vecnormalize_40_steps.pkl")
    (tmp_path / "run_vecnormalize_80_steps.pkl").write_text("of another checkpoint")
    observation, _ = make().reset(seed=1)
    np.testing.assert_array_equal(
        StableBaselines(str(tmp_path / "run_40_steps.zip"))(make())(observation),
        model.predict(env.normalize_obs(observation), deterministic=True)[0],
    )


@pytest.mark.parametrize("protocol", [4, 5])
def test_statistics_of_any_pickle_protocol_are_read(tmp_path, protocol):
    env = normalised(lambda: gymnasium.make("Pendulum-v1"))
    file = tmp_path / "vecnormalize.pkl"
    file.write_bytes(pickle.dumps(env, protocol))
    observation = np.array([0.2, 0.9, -5.0], np.float32)
    np.testing.assert_array_equal(VecNormalize(file)(observation), env.normalize_obs(observation))
