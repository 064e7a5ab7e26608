"""Combinatorial problems as environments: a solution is built of one choice after the other."""

import copy
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

TOLERANCE = 0.03  # share of the planned return that a solution may lack and still be a success


class Problem(gymnasium.Env):
    """A problem of some size, drawn from the seed of `reset`.

    The action k takes the k-th entry of a list of what can be chosen now, in the order that the observation shows it in: the
    most obvious choice first. The list is counted round, k modulo its length, so that every action is legal and the random
    policy makes a random solution. The episode ends with the last choice.

    Args:
        size: cities, customers or items; 2 or more.

    Attributes:
        choices: indices of what can be chosen now, in that order; empty at the end.
    """

    choices: np.ndarray

    def __init__(self, size: int) -> None:
        self.size = size

    def draw(self) -> None:
        """Draws an instance from `np_random`, nothing chosen yet."""
        raise NotImplementedError

    def choose(self, index: int) -> float:
        """Chooses one; returns the reward."""
        raise NotImplementedError

    def listed(self) -> np.ndarray:
        """The `choices` of now."""
        raise NotImplementedError

    def observation(self) -> Any:
        """What is left of the instance, and where the solution stands."""
        raise NotImplementedError

    def plan(self) -> list[int]:
        """What to choose from here on, for a solution that is the best or near it.

        Raises:
            ExpertFailure: none was found.
        """
        raise NotImplementedError

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.draw()
        self.choices = self.listed()
        return self.observation(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = self.choose(int(self.choices[int(action) % len(self.choices)]))
        self.choices = self.listed()
        return self.observation(), reward, len(self.choices) == 0, False, {}

    def value(self, chosen: Sequence[int]) -> float:
        """The return from here on of what is chosen."""
        twin = copy.deepcopy(self)
        return float(sum(twin.choose(index) for index in chosen))


class Planned(gymnasium.Wrapper):
    """A problem with a plan of its whole solution; at the end, `info["success"]` tells whether the return came near it.

    Attributes:
        plan: what to choose in turn.
    """

    env: Problem

    def __init__(self, env: Problem) -> None:
        super().__init__(env)
        self.plan: list[int] = []
        self._lacking = self._allowed = 0.0  # of the planned return

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        observation, info = self.env.reset(**kwargs)
        self.plan = self.env.plan()
        planned = self.env.value(self.plan)
        self._lacking, self._allowed = planned, TOLERANCE * abs(planned) + 1e-6
        return observation, info

    def step(self, action: int) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._lacking -= float(reward)
        if terminated:
            info["success"] = self._lacking <= self._allowed
        return observation, reward, terminated, truncated, info


class Planner:
    """The expert: follows the plan, and makes another where something else was executed."""

    def __init__(self, env: Planned) -> None:
        self.problem, self.plan = env.env, env.plan
        self._wanted: int | None = None

    def __call__(self, observation: Any, executed: Any) -> int:
        if executed is not None:
            self.plan = self.plan[1:] if executed == self._wanted else self.problem.plan()
        self._wanted = int(np.flatnonzero(self.problem.choices == self.plan[0])[0])
        return self._wanted


def padded(rows: np.ndarray, count: int) -> np.ndarray:
    """The rows and zeros below them, (count, ...)."""
    return np.concatenate([rows, np.zeros((count - len(rows), *rows.shape[1:]), rows.dtype)])


def numbers(low: float, high: float, *shape: int) -> spaces.Box:
    """A space of real numbers."""
    return spaces.Box(low, high, shape, np.float32)
