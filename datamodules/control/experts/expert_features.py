"""Features of linear experts: numbers computed from the observation and, for a gait with a clock, from the timestep.

Each public function here takes its settings and returns a function that computes the features. With suitable features, such
as the angles between an arm and its target or the missing energy of a pendulum, a linear law can replace a network.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np

# (observation, timestep in the episode) -> features (F,)
Features = Callable[[Any, int], np.ndarray]


def flat(observation: Any) -> np.ndarray:
    """Returns the numbers of an observation, (N,); those of a dictionary in the order of its keys."""
    if isinstance(observation, dict):
        return np.concatenate([np.ravel(observation[key]) for key in sorted(observation)])
    return observation


def gait(period: float, size: int | None = None) -> Features:
    """Returns features that are the state, and the sine and cosine of a clock.

    Args:
        period: timesteps per stride.
        size: number of values of the state; None: all.
    """

    def features(observation: np.ndarray, timestep: int) -> np.ndarray:
        phase = 2 * np.pi * timestep / period
        return np.concatenate([flat(observation)[:size], [np.sin(phase), np.cos(phase)]])

    return features


def joint_errors(first: float, second: float, position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the angles in radians, (2,), by which the joints of a planar arm must turn for its tip to reach a target.

    Args:
        first: length of the inner link in metres.
        second: length of the outer link in metres.
        position: angles of the joints in radians, (2,).
        target: coordinates of the target in metres, (2,).
    """
    cosine = (target @ target - first**2 - second**2) / (2 * first * second)
    bend = np.arccos(np.clip(cosine, -1, 1))  # law of cosines; the arm can bend either way
    bends = np.array([bend, -bend])
    swings = np.arctan2(target[1], target[0]) - np.arctan2(second * np.sin(bends), first + second * np.cos(bends))
    # The outer joint has stops and cannot turn through them.
    ways = np.stack([wrapped(swings - position[0]), bends - wrapped(position[1])], axis=1)
    return ways[np.argmin(np.abs(ways).max(axis=1))]


def wrapped(angle: Any) -> Any:
    """Returns the same angle in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def reacher() -> Features:
    """Returns the features of Gymnasium's Reacher: angles to turn (2,) and angular velocities (2,)."""

    def features(observation: np.ndarray, timestep: int) -> np.ndarray:
        position = np.arctan2(observation[2:4], observation[:2])
        return np.concatenate([joint_errors(0.1, 0.11, position, observation[4:6]), observation[6:8]])

    return features


def dm_reacher() -> Features:
    """Returns the features of dm_control's reacher: angles to turn (2,) and angular velocities (2,)."""

    def features(observation: dict[str, np.ndarray], timestep: int) -> np.ndarray:
        inner, outer = observation["position"][0], observation["position"].sum()
        tip = 0.12 * np.array([np.cos(inner) + np.cos(outer), np.sin(inner) + np.sin(outer)])
        errors = joint_errors(0.12, 0.12, observation["position"], tip + observation["to_target"])
        return np.concatenate([errors, observation["velocity"]])

    return features


@cache
def _pusher_arm() -> tuple[mujoco.MjModel, mujoco.MjData]:
    model = mujoco.MjModel.from_xml_path(str(Path(gymnasium.__file__).parent / "envs/mujoco/assets/pusher_v5.xml"))
    return model, mujoco.MjData(model)


def pusher() -> Features:
    """Returns the features of Gymnasium's Pusher, (4 x 7,): torques of its seven joints for three pulls, and their velocities.

    The pulls act on the hand: towards the object, away from the goal, and from the object to the goal. The transposed
    Jacobian of the hand turns each into torques.
    """
    model, data = _pusher_arm()
    hand = model.body("tips_arm").id

    def features(observation: np.ndarray, timestep: int) -> np.ndarray:
        data.qpos[:7] = observation[:7]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        jacobian = np.empty((3, model.nv))
        mujoco.mj_jacBody(model, data, jacobian, None, hand)
        tip, thing, goal = observation[14:17], observation[17:20], observation[20:23]
        way = (goal - thing) * (1, 1, 0)
        away = way / (np.linalg.norm(way) + 0.05)
        pulls = np.stack([thing - tip, -away, way])  # (3, 3)
        return np.concatenate([(pulls @ jacobian[:, :7]).ravel(), observation[7:14]])

    return features


def swing_up(stiffness: float, catch: float) -> Features:
    """Returns the features of a pole with or without a cart: one part for near the top, one for elsewhere.

    The part that does not apply is (nearly) 0. The first part is the angle, its rate, and the cart's position and speed; the
    second is the energy that the pole lacks, with the sign of the push that adds it, and the cart's position and speed.

    Args:
        stiffness: angular acceleration of a horizontal pole by gravity, in rad/s^2.
        catch: half the width of the region near the top, in radians; an angular velocity counts as the angle from which a
            pole falls to reach it.
    """

    def features(observation: dict[str, np.ndarray], timestep: int) -> np.ndarray:
        if "orientation" in observation:
            (cosine, sine), (rate,), cart = observation["orientation"], observation["velocity"], np.zeros(0)
        else:
            (place, cosine, sine), (speed, rate) = observation["position"], observation["velocity"]
            cart = np.array([place, speed])
        angle = np.arctan2(sine, cosine)
        energy = rate**2 / (2 * stiffness) + cosine - 1  # 0 at rest at the top, -2 at the bottom
        # A cart's acceleration turns the pole the other way, and less the further it is from upright; a torque acts directly.
        lever = cosine if len(cart) else -1.0
        pump = np.clip(energy, -1, 1) * np.tanh(rate * lever)
        distance = abs(angle + rate / stiffness**0.5) + abs(angle) - 2 * catch
        near = 1 / (1 + np.exp(np.clip(distance / (0.1 * catch), -30, 30)))
        return np.concatenate([near * np.array([angle, rate]), near * cart, [(1 - near) * pump], (1 - near) * cart])

    return features


FEATURES: dict[str, Callable[..., Features]] = {
    "dm_reacher": dm_reacher,
    "gait": gait,
    "pusher": pusher,
    "reacher": reacher,
    "swing_up": swing_up,
}
