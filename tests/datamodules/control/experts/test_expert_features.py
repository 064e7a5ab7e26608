"""Features of linear experts: the inverse kinematics of arms, and the energy of pendulums."""

import gymnasium
import numpy as np
import pytest

from datamodules.control.experts.expert_features import dm_reacher, joint_errors, reacher, swing_up


@pytest.mark.parametrize("seed", range(5))
def test_the_arm_meets_the_target_where_its_errors_say(seed):
    rng = np.random.default_rng(seed)
    position, bearing = rng.uniform(-2, 2, 2), rng.uniform(-np.pi, np.pi)
    target = rng.uniform(0.03, 0.2) * np.array([np.cos(bearing), np.sin(bearing)])
    inner, bend = position + joint_errors(0.1, 0.11, position, target)
    tip = 0.1 * np.array([np.cos(inner), np.sin(inner)]) + 0.11 * np.array([np.cos(inner + bend), np.sin(inner + bend)])
    np.testing.assert_allclose(tip, target, atol=1e-9)


@pytest.mark.parametrize(
    ("env_id", "features"), [("Reacher-v5", reacher()), ("shimmy:dm_control/reacher-easy-v0", dm_reacher())]
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # there is no display
def test_errors_are_those_of_the_simulated_arm(env_id, features):
    env = gymnasium.make(env_id)
    observation, _ = env.reset(seed=4)
    unwrapped = env.unwrapped
    data = unwrapped.data if env_id == "Reacher-v5" else unwrapped.physics.data._data
    data.qpos[:2] += features(observation, 0)[:2]
    if env_id == "Reacher-v5":
        unwrapped.set_state(data.qpos, data.qvel)
        distance = unwrapped.get_body_com("fingertip") - unwrapped.get_body_com("target")
    else:
        unwrapped.physics.forward()
        distance = unwrapped.physics.finger_to_target()
    np.testing.assert_allclose(distance[:2], 0, atol=1e-6)


def test_a_swing_up_pumps_below_and_catches_above():
    features = swing_up(stiffness=15.0, catch=0.3)
    hanging = features({"orientation": np.array([-1.0, 0.0]), "velocity": np.array([0.1])}, 0)
    standing = features({"orientation": np.array([1.0, 0.01]), "velocity": np.array([0.1])}, 0)
    assert np.allclose(hanging[:2], 0)
    assert hanging[2] > 0, "torque along the motion adds energy"
    assert np.allclose(standing[2:], 0, atol=1e-3)
    assert np.allclose(standing[:2], [0.01, 0.1], atol=1e-3)
