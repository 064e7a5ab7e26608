"""What OGBench's oracles are to do next, until a scene is as the goal wants it.

An oracle of `ogbench.manipspace.oracles.markov` moves one thing: a cube, a button, the drawer or the window. A planner picks
the next of these from what is not yet as it should be, and it is carried out until the hand is up again. Lengths are in metres.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import gymnasium
import numpy as np

Info = dict[str, Any]  # what the environment tells of its state

NEAR = 0.02  # a cube is at its place, as its oracle means it
CLEAR = 0.06  # so far from a cube, another can be put down
HIGH = {"cube": 0.16, "button": 0.16, "drawer": 0.18, "window": 0.28}  # above this the hand is up again
SLID = 0.01  # a drawer or window is where it should be
OPENED = -0.16  # the drawer's joint; 0 is closed
IN_DRAWER = -0.2  # beyond this y, a cube lies in the drawer


@dataclass(frozen=True)
class Move:
    """One thing to be moved or pressed.

    Args:
        kind: of thing.
        target: a cube's place (3,), a button's state, the joint's position of drawer or window.
        index: of the cube or button.
    """

    kind: Literal["cube", "button", "drawer", "window"]
    target: Any
    index: int = 0

    def done(self, info: Info) -> bool:
        """Whether the thing is where it should be."""
        if self.kind == "cube":
            return bool(np.linalg.norm(info[f"privileged/block_{self.index}_pos"] - self.target) <= NEAR)
        if self.kind == "button":
            return bool(info[f"privileged/button_{self.index}_state"] == self.target)
        return bool(abs(info[f"privileged/{self.kind}_pos"][0] - self.target) <= SLID)

    def told(self, info: Info, env: Any) -> Info:
        """The state with the target, as the oracle asks for it."""
        if self.kind == "cube":
            told = {"block": self.index, "block_pos": self.target, "block_yaw": np.zeros(1)}
        elif self.kind == "button":
            top = env.data.site_xpos[env._button_site_ids[self.index]]
            told = {"button": self.index, "button_state": self.target, "button_top_pos": top}
        else:
            axis, handle = env.data.joint(f"{self.kind}_slide").xaxis, info[f"privileged/{self.kind}_handle_pos"]
            told = {f"{self.kind}_handle_pos": handle + (self.target - info[f"privileged/{self.kind}_pos"]) * axis}
        return {**info, **{f"privileged/target_{key}": value for key, value in told.items()}}


class Manipulation:
    """Carries out one move after the other.

    Args:
        env: the environment, just reset.
        plan: the next move of a state; None where nothing is left.
    """

    def __init__(self, env: gymnasium.Env, plan: Callable[[Any, Info], Move | None]) -> None:
        from ogbench.manipspace.oracles.markov.button_markov import ButtonMarkovOracle
        from ogbench.manipspace.oracles.markov.cube_markov import CubeMarkovOracle
        from ogbench.manipspace.oracles.markov.drawer_markov import DrawerMarkovOracle
        from ogbench.manipspace.oracles.markov.window_markov import WindowMarkovOracle

        self.env: Any = env.unwrapped
        self.plan = plan
        self.oracles = {
            "cube": CubeMarkovOracle(env=env),
            "button": ButtonMarkovOracle(env=env, gripper_always_closed=True),
            "drawer": DrawerMarkovOracle(env=env),
            "window": WindowMarkovOracle(env=env),
        }
        for oracle in self.oracles.values():  # what `reset` draws by chance: where to go when all is done
            oracle._step, oracle._final_pos, oracle._final_yaw = 0, np.array([0.425, 0.0, 0.35]), 0.0
        self.move: Move | None = None

    def __call__(self, observation: Any) -> np.ndarray:
        info = self.env.compute_ob_info()
        if self.move is None or (self.move.done(info) and info["proprio/effector_pos"][2] > HIGH[self.move.kind]):
            self.move = self.plan(self.env, info) or self.move
        assert self.move is not None
        action = self.oracles[self.move.kind].select_action(observation, self.move.told(info, self.env))
        return np.asarray(action).round(1).astype(np.float32)


def cubes(env: Any, info: Info) -> Move | None:
    """Lower places first; a cube whose place is taken waits, and where all of these wait, one is put aside."""
    count = env._num_cubes
    places = [info[f"privileged/block_{index}_pos"] for index in range(count)]
    goals = [env.data.mocap_pos[env._cube_target_mocap_ids[index]] for index in range(count)]
    left = sorted(
        (index for index in range(count) if np.linalg.norm(places[index] - goals[index]) > NEAR), key=lambda i: goals[i][2]
    )
    for index in left:
        others = [places[other] for other in range(count) if other != index]
        if all(
            abs(other[2] - goals[index][2]) > NEAR or np.linalg.norm((other - goals[index])[:2]) > CLEAR for other in others
        ):
            return Move("cube", goals[index].copy(), index)
    for index in left:
        for x, y in ((0.35, 0.0), (0.5, 0.0), (0.425, 0.2), (0.425, -0.2)):
            aside = np.array([x, y, 0.02])
            if all(np.linalg.norm((place - aside)[:2]) > CLEAR for place in [*places, *goals]):
                return Move("cube", aside, index)
    return None


def buttons(env: Any, info: Info) -> Move | None:
    """Lights Out: a press changes a button and those beside it. Each is pressed at most once; the nearest is next."""
    wrong = env._cur_button_states != env._target_button_states
    presses = lights_out(wrong.reshape(env._num_rows, env._num_cols)).ravel().nonzero()[0]
    if not len(presses):
        return None
    tops = env.data.site_xpos[[env._button_site_ids[index] for index in presses]]
    index = int(presses[np.linalg.norm((tops - info["proprio/effector_pos"])[:, :2], axis=1).argmin()])
    return _press(env, index)


def lights_out(wrong: np.ndarray) -> np.ndarray:
    """Which lights to press so that those that are wrong change, and no others.

    Presses in the first row decide all others: whatever is still wrong in a row has to be set right from the next one.

    Args:
        wrong: of each light (rows, columns), bool.

    Returns:
        Whether each is pressed (rows, columns), bool; of several solutions one with the fewest presses.
    """
    solutions = []
    for first in product((False, True), repeat=wrong.shape[1]):
        presses = np.zeros_like(wrong)
        presses[0] = first
        for row in range(1, len(wrong)):
            presses[row] = (wrong ^ changed(presses))[row - 1]
        if (changed(presses) == wrong).all():
            solutions.append(presses)
    return min(solutions, key=np.count_nonzero)


def changed(presses: np.ndarray) -> np.ndarray:
    """Which lights change: those that are pressed an odd number of times, themselves or beside them."""
    around = np.pad(presses, 1)
    return around[1:-1, 1:-1] ^ around[:-2, 1:-1] ^ around[2:, 1:-1] ^ around[1:-1, :-2] ^ around[1:-1, 2:]


def scene(env: Any, info: Info) -> Move | None:
    """The cube first, if need be into the opened drawer; then drawer and window, which buttons unlock; the buttons last."""
    cube, goal = info["privileged/block_0_pos"], env.data.mocap_pos[env._cube_target_mocap_ids[0]]
    if goal[1] < IN_DRAWER and not env._is_in_drawer(cube):
        slide = _slide(env, info, "drawer", OPENED)
        return slide or Move("cube", env._drawer_center.copy())
    if goal[1] >= IN_DRAWER and np.linalg.norm(cube - goal) > NEAR:
        return Move("cube", goal.copy())
    slide = _slide(env, info, "drawer", env._target_drawer_pos) or _slide(env, info, "window", env._target_window_pos)
    wrong = np.flatnonzero(env._cur_button_states != env._target_button_states)
    return slide or (_press(env, int(wrong[0])) if len(wrong) else None)


def _slide(env: Any, info: Info, kind: Literal["drawer", "window"], target: float) -> Move | None:
    """The drawer or window to its place, or before that a press on the button that unlocks it; None where it is there."""
    if abs(info[f"privileged/{kind}_pos"][0] - target) <= 0.03:
        return None
    button = ("drawer", "window").index(kind)
    return Move(kind, target) if env._cur_button_states[button] else _press(env, button)


def _press(env: Any, index: int) -> Move:
    return Move("button", 1 - env._cur_button_states[index], index)
