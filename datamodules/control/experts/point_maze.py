"""A controller for the ball in the mazes of gymnasium-robotics: cell by cell along the shortest way."""

from collections import deque
from typing import Any

import gymnasium
import numpy as np

Cell = tuple[int, int]

APPROACH = 4.0  # wanted speed, per metre from the next target
FASTEST = 4.0  # metres a second


class Waypoints:
    """Steers to the centre of the next cell on the way to the goal, and in the end to the goal itself.

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


def next_cells(maze_map: list[list[int | str]], goal: Cell) -> dict[Cell, Cell]:
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
