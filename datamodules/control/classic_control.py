"""Classic control. Each expert is a feedback law of the observation alone, so one timestep is enough to imitate it."""

from collections.abc import Callable, Collection
from typing import Any

import gymnasium
import numpy as np

from datamodules.control.expert_task import Expert
from datamodules.control.gym_suite import GymDataModule

Law = Callable[[np.ndarray], Any]

# The pendulum's torques are multiples of this: a model that predicts tokens learns nine values from far fewer examples than
# a thousand, and the return does not change measurably.
TORQUE_GRAIN = 0.5


def cartpole(observation: np.ndarray) -> int:
    """Pushes (0 left, 1 right) in the direction of the pole's fall, and slightly outwards, which returns the cart."""
    position, velocity, angle, rate = observation
    return int(angle + 0.3 * rate + 0.03 * position + 0.06 * velocity > 0)


def acrobot(observation: np.ndarray) -> int:
    """Applies torque (0: -1, 2: +1) to the second link against the velocity of the first, which adds energy to the swing."""
    return 0 if observation[4] > 0 else 2


def mountain_car(observation: np.ndarray) -> int:
    """Pushes (0 left, 2 right) in the direction of motion, which adds energy to the swing."""
    return 2 if observation[1] >= 0 else 0


def mountain_car_continuous(observation: np.ndarray) -> np.ndarray:
    """Pushes like `mountain_car`, with at most half the force, because a step costs a tenth of the force squared."""
    return np.clip([30.0 * observation[1]], -0.5, 0.5).astype(np.float32)


def pendulum(observation: np.ndarray) -> np.ndarray:
    """Returns a torque in [-2, 2]: energy shaping far from upright, blended into proportional-derivative control near it.

    The equation of motion is angle'' = 15 sin(angle) + 3 torque. The energy, 0 at rest upright, is rate^2 / 6 +
    5 (cos(angle) - 1), and changes by rate * torque.
    """
    cosine, sine, rate = (float(value) for value in observation)
    angle = np.arctan2(sine, cosine)
    energy = rate**2 / 6 + 5 * (cosine - 1)
    swing_up = np.clip(-energy * np.tanh(rate), -2, 2)
    catch = -10 * angle - 2 * rate
    # Distance from upright: an ellipse, tilted because a pole that moves towards upright can be caught from further away.
    distance = angle**2 + (rate / 4) ** 2 + angle * rate / 4
    nearness = 1 / (1 + np.exp((distance - 0.64) / 0.1))
    torque = np.clip(nearness * catch + (1 - nearness) * swing_up, -2, 2)
    return np.array([np.round(torque / TORQUE_GRAIN) * TORQUE_GRAIN], np.float32)


LAWS: dict[str, Law] = {
    "Acrobot-v1": acrobot,
    "CartPole-v1": cartpole,
    "MountainCar-v0": mountain_car,
    "MountainCarContinuous-v0": mountain_car_continuous,
    "Pendulum-v1": pendulum,
}


class ClassicControlDataModule(GymDataModule):
    """CartPole, Acrobot, MountainCar (discrete and continuous) and Pendulum.

    Pendulum needs a high `noise` of about 1.5, and a `min_score` low enough to keep the noisy episodes. With less noise, four
    of five demonstrated timesteps are at rest upright, and few show how to catch a pole that arrives too fast.
    """

    domain = "classic-control"

    def env_ids(self) -> Collection[str]:
        return LAWS

    @property
    def expert_name(self) -> str:
        return f"the control law {LAWS[self.env_id].__name__}"

    def make_expert(self, env: gymnasium.Env) -> Expert:
        law = LAWS[self.env_id]
        return lambda observation, executed: law(observation)
