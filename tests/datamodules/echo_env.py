"""An environment with actions of any kind: what is shown is to be done."""

import string
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

TEXT = spaces.Text(12, charset=string.ascii_lowercase + " ")
SPACES: dict[str, spaces.Space] = {
    "discrete": spaces.Discrete(5, start=-2),
    "multi-discrete": spaces.MultiDiscrete([3, 4]),
    "multi-binary": spaces.MultiBinary(3),
    "bool-box": spaces.Box(0, 1, (2,), np.bool_),
    "box": spaces.Box(-1, 1, (2,), np.float32),
    "text": TEXT,
    "dict": spaces.Dict(say=TEXT, turn=spaces.Discrete(3), push=spaces.Box(-1, 1, (2,), np.float32)),
    "tuple": spaces.Tuple([spaces.MultiBinary(2), TEXT, spaces.Dict(more=TEXT, off=spaces.Box(0, 1, (1,), np.bool_))]),
}
LENGTH = 4


class Echo(gymnasium.Env):
    """Shows a value of a space, and earns 1 for it as the action.

    Args:
        kind: of the space.
    """

    def __init__(self, kind: str, render_mode: str | None = None) -> None:
        self.observation_space = self.action_space = SPACES[kind]
        self.render_mode = render_mode

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        self.observation_space.seed(seed)
        self._steps, self._shown = 0, self.observation_space.sample()
        return self._shown, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        assert self.action_space.contains(action), action
        reward = float(str(action) == str(self._shown))
        self._steps, self._shown = self._steps + 1, self.observation_space.sample()
        return self._shown, reward, self._steps == LENGTH, False, {}


gymnasium.register("own/Echo-v0", entry_point=f"{__name__}:{Echo.__name__}")


def repeat(observation: Any) -> Any:
    """The best policy."""
    return observation
