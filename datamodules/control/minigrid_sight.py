"""Which cells an agent of BabyAI or MiniGrid sees, and what is in them: what `gen_obs` tells, in a tenth of its time."""

import functools
import operator
from typing import Any

import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, DIR_TO_VEC, IDX_TO_OBJECT, OBJECT_TO_IDX
from minigrid.core.world_object import Wall, WorldObj
from minigrid.minigrid_env import MiniGridEnv

VIEW = 7  # cells a side; the agent stands in the middle of the lowest row
AGENT = (VIEW - 1, VIEW // 2)  # row and column
STATES = 3  # of a door: open, closed, locked

# A cell's code is the place of its symbols (object, colour and state, as MiniGrid encodes them) among all that there can be.
NUM_CODES = len(IDX_TO_OBJECT) * len(COLOR_TO_IDX) * STATES
SYMBOLS = np.stack(np.unravel_index(np.arange(NUM_CODES), (len(IDX_TO_OBJECT), len(COLOR_TO_IDX), STATES)), -1).astype(np.uint8)
CODES: dict[tuple[int, ...], int] = {tuple(symbols): code for code, symbols in enumerate(SYMBOLS.tolist())}
UNSEEN, EMPTY = CODES[OBJECT_TO_IDX["unseen"], 0, 0], CODES[OBJECT_TO_IDX["empty"], 0, 0]

_OUTSIDE = Wall()
# (codes,) bool: True where light goes through.
_CLEAR = np.array([cell is None or cell.see_behind() for cell in (WorldObj.decode(*row) for row in SYMBOLS.tolist())])
_BITS = 1 << np.arange(VIEW)
_LIT = (np.arange(1 << VIEW)[:, None] & _BITS) > 0  # (128, 7) bool: the cells of a row, from its bits


def sight(world: MiniGridEnv) -> np.ndarray:
    """The codes of what the agent sees, (7, 7) int64, row by row from the far end, each from left to right."""
    cells = _picker(*_pose(world))([*world.grid.grid, _OUTSIDE])
    codes = np.array([EMPTY if cell is None else CODES[cell.encode()] for cell in cells]).reshape(VIEW, VIEW)
    if not world.see_through_walls:
        codes = np.where(_lit(codes), codes, UNSEEN)
    # The agent is seen with what it carries, and not what it stands on.
    codes[AGENT] = CODES[world.carrying.encode()] if world.carrying else EMPTY
    return codes


def _lit(codes: np.ndarray) -> np.ndarray:
    """Which cells of a view light reaches from the agent, (7, 7) bool."""
    rows, light = [], 1 << AGENT[1]
    for clear in reversed((_CLEAR[codes] @ _BITS).tolist()):
        lit, light = _row(light, clear)
        rows.append(lit)
    return _LIT[rows[::-1]]


def places(world: MiniGridEnv) -> np.ndarray:
    """Where the cells of the view are among those of the grid, row after row, (7, 7) int64; those outside: behind its end."""
    return _places(*_pose(world))


def _pose(world: MiniGridEnv) -> tuple[int, int, int, int, int]:
    x, y = world.agent_pos
    return int(x), int(y), int(world.agent_dir), world.grid.width, world.grid.height


@functools.cache
def _places(x: int, y: int, direction: int, width: int, height: int) -> np.ndarray:
    ahead_x, ahead_y = DIR_TO_VEC[direction]
    ahead = np.arange(VIEW - 1, -1, -1)[:, None]
    right = np.arange(VIEW) - VIEW // 2  # a quarter turn clockwise from ahead
    column, row = x + ahead * ahead_x - right * ahead_y, y + ahead * ahead_y + right * ahead_x
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    return np.where(inside, row * width + column, width * height)


@functools.cache
def _picker(*pose: int) -> "operator.itemgetter[Any]":
    """Picks the cells of the view out of a list."""
    return operator.itemgetter(*_places(*pose).ravel().tolist())


@functools.cache
def _row(lit: int, clear: int) -> tuple[int, int]:
    """How light spreads in a row of a view and on to the next, as in MiniGrid's `process_vis`: to the right, then to the left.

    Args:
        lit: the cells that are lit from the row before, a bit each.
        clear: those that light goes through.

    Returns:
        The cells that are lit in the end, and those of the next row.
    """
    beyond = 0
    for cells, step in ((range(VIEW - 1), 1), (range(VIEW - 1, 0, -1), -1)):
        for i in cells:
            if (lit & clear) >> i & 1:
                lit |= 1 << (i + step)
                beyond |= 1 << i | 1 << (i + step)
    return lit, beyond
