"""What linear experts see: numbers made from the observation and, where a gait needs a clock, from the timestep.

Each function here takes its settings and returns the features. With the right ones a linear law does what otherwise takes a
network: the angles that an arm is away from its target, or how much energy a pendulum lacks.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium
import mujoco
import numpy as np

# (observation, timestep in its episode) -> features (F,)
Features = Callable[[Any, int], np.ndarray]


def flat(observation: Any) -> np.ndarray:
    """The numbers of an observation (N,), those of a dictionary in the order of its keys."""
    if isinstance(observation, dict):
        return np.concatenate([np.ravel(observation[key]) for key in sorted(observation)])
    return observation


def gait(period: float, size: int | None = None) -> Features:
    """The state, and the sine and cosine of a clock.

    Args:
        period: timesteps of a stride.
        size: of the state; None: all.
    """

    def features(observation: np.ndarray, timestep: int) -> np.ndarray:
        phase = 2 * np.pi * timestep / period
        return np.concatenate([flat(observation)[:size], [np.sin(phase), np.cos(phase)]])

    return features


def joint_errors(first: float, second: float, position: np.ndarray, target: np.ndarray) -> np.ndarray:
    """How far (2,) in radians the joints of a planar arm are from where its tip meets a target.

    Args:
        first: length of the inner link, in metres.
        second: length of the outer link.
        position: (2,) angles of the joints.
        target: (2,) coordinates.
    """
    cosine = (target @ target - first**2 - second**2) / (2 * first * second)
    bend = np.arccos(np.clip(cosine, -1, 1))  # law of cosines; the arm can bend either way
    bends = np.array([bend, -bend])
    swings = np.arctan2(target[1], target[0]) - np.arctan2(second * np.sin(bends), first + second * np.cos(bends))
    # The outer joint has stops and must not go through them.
    ways = np.stack([wrapped(swings - position[0]), bends - wrapped(position[1])], axis=1)
    return ways[np.argmin(np.abs(ways).max(axis=1))]


def wrapped(angle: Any) -> Any:
    """The same angle in [-pi, pi)."""
    return (angle + np.pi) % (2 * np.pi) - np.pi


def reacher() -> Features:
    """Gymnasium's Reacher: angles to go (2,) and angular velocities (2,)."""

    def features(observation: np.ndarray, timestep: int) -> np.ndarray:
        position = np.arctan2(observation[2:4], observation[:2])
        return np.concatenate([joint_errors(0.1, 0.11, position, observation[4:6]), observation[6:8]])

    return features


def dm_reacher() -> Features:
    """dm_control's reacher: angles to go (2,) and angular velocities (2,)."""

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
    """Gymnasium's Pusher, as torques of its seven joints (4 x 7,): three pulls on the hand and the joints' velocities.

    The pulls go to the object, against the side of the object that faces the goal, and so from the object to the goal; each
    becomes torques by the transposed Jacobian of the hand.
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
    """A pole with or without a cart: what matters near the top, then what matters elsewhere; the others are 0.

    The first half is the angle, its rate, and the cart's place and speed; the second half the energy that the pole lacks,
    directed so that pushing along it helps, and again the cart's place and speed.

    Args:
        stiffness: gravity's angular acceleration of a level pole, in rad/s^2.
        catch: half the width of what is near, in radians; an angular velocity counts as the angle that it falls from.
    """

    def features(observation: dict[str, np.ndarray], timestep: int) -> np.ndarray:
        if "orientation" in observation:
            (cosine, sine), (rate,), cart = observation["orientation"], observation["velocity"], np.zeros(0)
        else:
            (place, cosine, sine), (speed, rate) = observation["position"], observation["velocity"]
            cart = np.array([place, speed])
        angle = np.arctan2(sine, cosine)
        energy = rate**2 / (2 * stiffness) + cosine - 1  # 0 at rest at the top, -2 at the bottom
        # A cart moves the pole by its acceleration, against it and less the further from upright; a torque acts directly.
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
