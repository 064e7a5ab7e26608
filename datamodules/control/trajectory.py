"""Played episodes, and checks that their values lie in their spaces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import Space, spaces

from gato_lightning.common.randomness import Purpose, seed_for
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import is_text, map_space, stack


@dataclass(frozen=True)
class Trajectory:
    """A played episode: T timesteps and the observation after the last one.

    Args:
        observations: T + 1 values of the observation space.
        actions: T values of the action space, as chosen by the expert.
        rewards: T numbers, in the environment's units.
        terminated: whether the episode ended by itself; False: it was cut at its limit of steps.
        info: the environment's `info` of the last step.
    """

    observations: Sequence[Any]
    actions: Sequence[Any]
    rewards: Sequence[float]
    terminated: bool
    info: dict[str, Any]

    def __len__(self) -> int:
        return len(self.rewards)

    @cached_property
    def total_reward(self) -> float:
        """The return, in the environment's units."""
        return float(np.sum(self.rewards, dtype=np.float64))

    def columns(self, observation_space: Space, action_space: Space) -> tuple[Any, Any]:
        """Returns the T + 1 observations and the T actions, stacked.

        Raises:
            UserError: a value outside its space; names the key and the timestep. Real numbers of observations only have to be
            numbers: environments leave the bounds that they state, and every real number has a token.
        """
        observations, actions = stack(observation_space, self.observations), stack(action_space, self.actions)
        check(observation_space, observations, "observation", bounded=False)
        check(action_space, actions, "action")
        return observations, actions


def random_return(
    env: gymnasium.Env, action_space: Space, seed: int, is_cut: Callable[[int], bool] = lambda steps: False
) -> float:
    """Plays an episode of random actions and returns its return, in the environment's units.

    Actions are drawn uniformly from their space; text actions from the admissible commands, if the environment gives them.

    Args:
        env: the environment.
        action_space: the space from which actions are drawn.
        seed: seed of the episode; the actions are independent of the environment's random numbers.
        is_cut: function that returns whether an unfinished episode is cut after a number of steps.
    """
    _, info = env.reset(seed=seed)
    action_space.seed(seed_for(Purpose.RANDOM_PLAY, seed))
    draw = sampler(action_space)
    total, steps, done = 0.0, 0, False
    while not done:
        commands = admissible_commands(action_space, info)
        action = commands[action_space.np_random.integers(len(commands))] if commands else draw()
        _, reward, terminated, truncated, info = env.step(action)
        total, steps = total + float(reward), steps + 1
        done = bool(terminated or truncated) or is_cut(steps)
    return total


def admissible_commands(action_space: Space, info: dict[str, Any]) -> Sequence[str]:
    """Returns the texts that a text game admits as the next action; empty for other environments, or if not given."""
    return info.get("admissible_commands", ()) if is_text(action_space) else ()


def sampler(space: Space) -> Callable[[], Any]:
    """Returns a function that draws like `space.sample`, in a quarter of its time for bounded spaces of real numbers."""
    if isinstance(space, spaces.Box) and space.dtype.kind == "f" and space.is_bounded("both"):
        return lambda: space.np_random.uniform(space.low, space.high).astype(space.dtype)
    return space.sample


def check(space: Space, column: Any, name: str, bounded: bool = True) -> None:
    """Checks that all values of a column, as `stack` makes it, lie in their space.

    Args:
        space: the space of one value.
        column: nested like it.
        name: of the column, for the message.
        bounded: whether real numbers have to lie within the bounds of their Box.

    Raises:
        UserError: if a value is outside; names the key and the first such timestep.
    """
    map_space(lambda leaf, path, part: _check_leaf(leaf, part, ".".join(map(str, (name, *path))), bounded), space, column)


def _check_leaf(space: Space, column: Any, name: str, bounded: bool) -> None:
    if is_text(space):
        if wrong := [t for t, value in enumerate(column) if not isinstance(value, str)]:
            raise UserError(f"{name}, timestep {wrong[0]}: {column[wrong[0]]!r} is not a text")
    else:
        shape = space.shape or ()
        if column.shape[1:] != shape:
            raise UserError(f"{name}: values of shape {column.shape[1:]}, expected {shape}")
        inside = _inside(space, column, bounded).reshape(len(column), -1).all(axis=1)
        if not inside.all():
            first = int(np.argmin(inside))
            raise UserError(f"{name}, timestep {first}: {_short(column[first])} is outside {space}")


def _inside(space: Space, column: np.ndarray, bounded: bool) -> np.ndarray:
    """Which numbers of a column are possible, (T, ...) bool; not-a-number never is."""
    if isinstance(space, spaces.Box):
        if not bounded and space.dtype.kind == "f":
            return ~np.isnan(column)
        return (column >= space.low) & (column <= space.high)
    if isinstance(space, spaces.Discrete):
        return (column >= space.start) & (column < space.start + space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return (column >= space.start) & (column < space.start + space.nvec)
    assert isinstance(space, spaces.MultiBinary), space
    return (column == 0) | (column == 1)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) < 80 else f"{text[:80]}..."
