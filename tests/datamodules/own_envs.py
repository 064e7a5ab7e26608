"""An environment of somebody's own, with all that may go wrong in one, and policies for it."""

import os
import signal
import time
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

RAISES, LEAVES_ITS_SPACE, HANGS, DIES, WEAK = 1, 2, 3, 4, 5  # seeds of episodes
LENGTH = 6


class Walk(gymnasium.Env):
    """A walk on a line that earns its steps to the right.

    Args:
        faulty: whether some seeds make it fail.
        first: of these seeds, the others follow it.
    """

    observation_space = spaces.Box(-10, 10, (2,), np.float32)
    action_space = spaces.Discrete(2)

    def __init__(self, faulty: bool = False, first: int = 0, render_mode: str | None = None) -> None:
        self.faulty, self.first, self.render_mode = faulty, first, render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[np.ndarray, dict]:
        super().reset(seed=seed)
        self.seed = seed
        self.fault = seed - self.first if self.faulty else None
        self.place, self.steps = self.np_random.uniform(-1, 1), 0
        return self._observation(), {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        self.steps += 1
        if self.steps == 3:
            if self.fault == RAISES:
                raise ZeroDivisionError("the wheel came off")
            if self.fault == HANGS:
                time.sleep(60)
            if self.fault == DIES:
                os.kill(os.getpid(), signal.SIGKILL)
        self.place += 1 if action else -1
        reward = float(action) if self.fault != WEAK else 0.0
        done = self.steps == LENGTH
        return self._observation(), reward, done, False, {"is_success": reward > 0} if done else {}

    def _observation(self) -> np.ndarray:
        out = self.fault == LEAVES_ITS_SPACE and self.steps == 3
        return np.array([99.0 if out else self.place, self.steps], np.float32)


gymnasium.register("own/Walk-v0", entry_point=f"{__name__}:{Walk.__name__}")


def to_the_right(observation: np.ndarray) -> int:
    """The best policy."""
    return 1


class Alternating:
    """A policy with a memory: right, left, right ...; made anew for each episode."""

    def __init__(self, env: gymnasium.Env) -> None:
        assert isinstance(env.unwrapped, Walk)
        self.next = 1

    def __call__(self, observation: np.ndarray) -> int:
        action, self.next = self.next, 1 - self.next
        return action
