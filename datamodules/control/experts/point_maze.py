"""Controllers for the balls in the mazes of gymnasium-robotics and OGBench: cell by cell along the shortest way."""

from collections import deque
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from gato_lightning.errors import ExpertFailure

Cell = tuple[int, int]

APPROACH = 4.0  # wanted speed, per metre from the next target
FASTEST = 4.0  # metres a second


class Waypoints:
    """Steers to the centre of the next cell on the way to the goal, and in the end to the goal itself (gymnasium-robotics).

    Args:
        env: the maze, just reset.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        unwrapped: Any = env.unwrapped
        self.maze = unwrapped.maze
        self.goal = self._cell(unwrapped.goal)
        self.next = next_cells(self.maze.maze_map, self.goal)

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        place, velocity = observation["observation"][:2], observation["observation"][2:]
        cell = self.next[self._cell(place)]
        target = observation["desired_goal"] if cell == self.goal else self.maze.cell_rowcol_to_xy(cell)
        wanted = APPROACH * (target - place)
        wanted *= min(1.0, FASTEST / max(float(np.linalg.norm(wanted)), 1e-9))
        return np.clip(wanted - velocity, -1, 1).round(1).astype(np.float32)

    def _cell(self, place: np.ndarray) -> Cell:
        row, column = self.maze.cell_xy_to_rowcol(place)
        return int(row), int(column)


class OGBenchWaypoints:
    """The same in OGBench's mazes, whose ball has no mass: it moves as far as an action says, and keeps away from teleports.

    Args:
        env: the maze, just reset.
    """

    def __init__(self, env: gymnasium.Env) -> None:
        self.maze: Any = env.unwrapped
        walls = self.maze.maze_map.copy()
        for teleport in (self.maze._teleport_info or {}).get("teleport_in_ijs", ()):
            walls[teleport] = 1
        self.goal: Cell = self.maze.xy_to_ij(self.maze.cur_goal_xy)
        self.next = next_cells(walls, self.goal)

    def __call__(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        place = observation["observation"]
        cell = self.next.get(self.maze.xy_to_ij(place))
        if cell is None:
            raise ExpertFailure("a teleport led where there is no way to the goal")
        way = (observation["goal"] if cell == self.goal else np.array(self.maze.ij_to_xy(cell))) - place
        return (way / max(float(np.abs(way).max()), 1e-9)).round(1).astype(np.float32)


def next_cells(maze_map: Sequence[Sequence[int | str]] | np.ndarray, goal: Cell) -> dict[Cell, Cell]:
    """For each cell from which the goal can be reached, the next one on a shortest way to it; for the goal, the goal.

    A breadth-first search that begins at the goal.

    Args:
        maze_map: rows of cells; 1 is a wall.
        goal: row and column.
    """
    following = {goal: goal}
    frontier = deque([goal])
    while frontier:
        row, column = frontier.popleft()
        for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
            if cell not in following and maze_map[cell[0]][cell[1]] != 1:
                following[cell] = (row, column)
                frontier.append(cell)
    return following
