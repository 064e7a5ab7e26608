"""Controllers for the Fetch arm of gymnasium-robotics: what to do next follows from the observation alone.

An action moves the gripper towards a point, by at most 5 cm a step in each direction, and opens (1) or closes (-1) its fingers.
Lengths are in metres. An observation holds the place of the gripper and, where there is one, of the object; see
`gymnasium_robotics.envs.fetch`.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

Observation = dict[str, np.ndarray]
Law = Callable[[Observation], np.ndarray]

GAIN = 10.0  # of an action, per metre from the target
OPEN, CLOSED = 1.0, -1.0
STAY = np.zeros(4, np.float32)
ABOVE = np.array([0.0, 0.0, 0.06])  # where the gripper waits to come down on a cube


def towards(target: np.ndarray, place: np.ndarray, fingers: float = 0.0) -> np.ndarray:
    """The action (4,) that moves what is at `place` (3,) to `target` (3,).

    It is rounded to tenths: a pupil that predicts tokens learns 21 values from fewer examples than a thousand.
    """
    return np.append(np.clip(GAIN * (target - place), -1, 1).round(1), fingers).astype(np.float32)


def reach(observation: Observation) -> np.ndarray:
    """Moves the gripper to the goal."""
    return towards(observation["desired_goal"], observation["observation"][:3])


def push(observation: Observation) -> np.ndarray:
    """Gets behind the cube as seen from the goal, above it so as not to touch it, and pushes it along the line to the goal."""
    gripper, cube = observation["observation"][:3], observation["observation"][3:6]
    way = (observation["desired_goal"] - cube)[:2]
    distance = np.linalg.norm(way)
    if distance < 0.015:
        return STAY
    way /= distance
    offset = (gripper - cube)[:2]
    ahead = offset @ way
    aside = offset - ahead * way
    if ahead < -0.02 and np.linalg.norm(aside) < 0.02 and gripper[2] < cube[2] + 0.03:
        return towards(np.append(gripper[:2] - aside + min(distance, 0.1) * way, cube[2]), gripper)
    behind = cube[:2] - 0.07 * way
    if np.linalg.norm(behind - gripper[:2]) < 0.02:
        return towards(np.append(behind, cube[2]), gripper)
    if gripper[2] < cube[2] + 0.06:
        return towards(np.append(gripper[:2], cube[2] + 0.1), gripper)
    return towards(np.append(behind, cube[2] + 0.08), gripper)


def pick_and_place(observation: Observation) -> np.ndarray:
    """Comes down on the cube with open fingers, closes them, and carries it to the goal."""
    gripper, cube, fingers = (observation["observation"][part] for part in (slice(3), slice(3, 6), slice(9, 11)))
    offset = cube - gripper
    aside = np.linalg.norm(offset[:2])
    if aside < 0.02 and abs(offset[2]) < 0.015:
        held = fingers.sum() < 0.055  # the cube is 5 cm wide
        return towards(observation["desired_goal"], cube, CLOSED) if held else towards(cube, gripper, CLOSED)
    if aside < 0.015:
        return towards(cube, gripper, OPEN)
    return towards(cube + ABOVE, gripper, OPEN)


@dataclass(frozen=True)
class Stroke:
    """How a puck is struck.

    Args:
        start: where it lies (2,).
        way: the direction of the gripper (2,), a unit vector.
        speed: of the gripper, of the fastest; in (0, 1].
        miss: how far from the goal the puck should stop, in metres.
    """

    start: np.ndarray
    way: np.ndarray
    speed: float
    miss: float

    def action(self, state: np.ndarray) -> np.ndarray:
        """The action that follows the line through the puck's place."""
        gripper, puck = state[:3], state[3:6]
        offset = (gripper - puck)[:2]
        aside = offset - (offset @ self.way) * self.way
        moves = np.append(self.speed * self.way - GAIN * aside, GAIN * (puck[2] - gripper[2]))
        return np.append(np.clip(moves, -1, 1), 0.0).astype(np.float32)

    def struck(self, state: np.ndarray) -> bool:
        """Whether the puck has been hit."""
        return bool(np.linalg.norm(state[3:5] - self.start) > 0.03)


class Slide:
    """Strikes the puck once, so that it stops at the goal, which the gripper cannot reach.

    Direction and speed of the stroke are tried in a copy of the simulation and corrected by where the puck would stop.

    Args:
        env: the environment, just reset.
    """

    RUN_UP = 0.08
    TRIES = 8
    CLOSE = 0.01  # tries end when the puck would stop so near to the goal

    def __init__(self, env: gymnasium.Env) -> None:
        self.env: Any = env.unwrapped
        self.stroke: Stroke | None = None
        self.done = False

    def __call__(self, observation: Observation) -> np.ndarray:
        state, goal = observation["observation"], observation["desired_goal"][:2]
        gripper, puck = state[:3], state[3:6]
        if self.stroke is None:
            way = goal - puck[:2]
            behind = puck[:2] - self.RUN_UP * way / np.linalg.norm(way)
            if np.linalg.norm(gripper[:2] - behind) > 0.02:
                return towards(np.append(behind, puck[2] + 0.09), gripper)
            if gripper[2] > puck[2] + 0.02:
                return towards(np.append(behind, puck[2]), gripper)
            self.stroke = self._plan(puck[:2].copy(), goal)
        self.done = self.done or self.stroke.struck(state)
        return STAY if self.done else self.stroke.action(state)

    def _plan(self, start: np.ndarray, goal: np.ndarray) -> Stroke:
        """The best of some strokes, each the one before it with its error in angle and distance taken off."""
        wanted, distance = _angle(goal - start), float(np.linalg.norm(goal - start))
        strokes: list[Stroke] = []
        angle, speed = wanted, float(np.clip((distance / 0.65) ** 0.6, 0.2, 1.0))
        for _ in range(self.TRIES):
            stroke = Stroke(start, np.array([np.cos(angle), np.sin(angle)]), speed, np.inf)
            stop = self._stop(stroke)
            strokes.append(Stroke(start, stroke.way, speed, float(np.linalg.norm(stop - goal))))
            if strokes[-1].miss < self.CLOSE:
                break
            angle = float(np.clip(angle + 0.7 * (wanted - _angle(stop - start)), wanted - 0.6, wanted + 0.6))
            covered = float(np.linalg.norm(stop - start)) + 0.001
            speed = float(np.clip(speed * (distance / covered) ** 0.5, 0.15, 1.0))
        return min(strokes, key=lambda stroke: stroke.miss)

    def _stop(self, stroke: Stroke) -> np.ndarray:
        """Where the puck would stop (2,): simulated until it has been hit, and from its velocity then."""
        real = self.env.data
        self.env.data = copy.copy(real)
        try:
            state = self.env._get_obs()["observation"]
            for _ in range(20):
                if stroke.struck(state):
                    break
                state = self.env.step(stroke.action(state))[0]["observation"]
            state = self.env.step(STAY)[0]["observation"]
        finally:
            self.env.data = real
        velocity = (state[14:16] + state[20:22]) / self.env.dt  # the puck's is told less the gripper's, in metres a step
        speed = float(np.linalg.norm(velocity))
        coasting = 0.53 * speed**1.45  # metres, fitted to what pucks do
        return state[3:5] + velocity / max(speed, 1e-9) * coasting


def _angle(way: np.ndarray) -> float:
    return float(np.arctan2(way[1], way[0]))
