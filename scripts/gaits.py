"""Gaits: walking controllers of a few numbers, which a search finds long before it finds a policy from nothing.

Each joint is drawn by a spring and a damper to a place that swings with a clock:

    torque = stiffness * (rest + swing * sin(clock + phase) - position) - damping * speed

which is linear in the features `gait` of datamodules/control/experts/expert_features.py. Open-loop oscillators of this kind are
a strong baseline for locomotion (Raffin et al. 2023).
"""

from dataclasses import dataclass

import numpy as np

# Parameters: period, stiffness, damping, and for each of the k joints swing, phase, rest.
COMMON = 3


@dataclass(frozen=True)
class Gait:
    """What a gait is looked for in.

    Args:
        size: of the state in the features.
        positions: (k,) where in the state the joints' angles are.
        speeds: (k,) where their velocities are.
        periods: shortest and longest stride, in timesteps.
        tries: episodes of the search; a third of them are drawn at random, the others vary the best.
        horizon: timesteps of such an episode.
        rest: (k,) angles that the joints swing about at first; None: 0.
    """

    size: int
    positions: tuple[int, ...]
    speeds: tuple[int, ...]
    periods: tuple[float, float]
    tries: int = 400
    horizon: int = 200
    rest: tuple[float, ...] | None = None

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Parameters (3 + 3 k,) at random."""
        joints = len(self.positions)
        common = [rng.uniform(*self.periods), rng.uniform(0.5, 3), rng.uniform(0.02, 0.2)]
        swing, phase = rng.uniform(0.2, 1, joints), rng.uniform(0, 2 * np.pi, joints)
        rest = rng.normal(0, 0.2, joints) + (self.rest or 0)
        return np.concatenate([common, swing, phase, rest])

    def vary(self, parameters: np.ndarray, width: float, rng: np.random.Generator) -> np.ndarray:
        """Parameters near others: half of them are changed."""
        joints = len(self.positions)
        scale = np.concatenate([[2, 0.5, 0.05], np.repeat([0.3, 0.8, 0.2], joints)])
        changed = rng.random(len(parameters)) < 0.5
        return parameters + width * scale * rng.standard_normal(len(parameters)) * changed

    def settings(self, parameters: np.ndarray) -> dict[str, float]:
        """Of the features."""
        return {"period": float(parameters[0]), "size": self.size}

    def gains(self, parameters: np.ndarray) -> np.ndarray:
        """The policy (A, F + 1) on state, sine and cosine, with the bias last."""
        _, stiffness, damping = parameters[:COMMON]
        swing, phase, rest = parameters[COMMON:].reshape(3, -1)
        policy = np.zeros((len(self.positions), self.size + 3))
        joints = np.arange(len(self.positions))
        policy[joints, self.positions] = -stiffness
        policy[joints, self.speeds] = -damping
        policy[:, -3] = stiffness * swing * np.cos(phase)
        policy[:, -2] = stiffness * swing * np.sin(phase)
        policy[:, -1] = stiffness * rest
        return policy
