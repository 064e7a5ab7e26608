"""A map of what an agent in a grid world has seen so far, with a search for the cheapest paths through it."""

import heapq
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from minigrid.core.constants import IDX_TO_COLOR, IDX_TO_OBJECT

from datamodules.control.experts.babyai import Pose, ahead, turned
from datamodules.control.minigrid_sight import EMPTY, SYMBOLS, UNSEEN, places
from datamodules.control.minigrid_view import PartialView

Position = tuple[int, int]  # column and row


class Cell(NamedTuple):
    """The content of a cell.

    Args:
        kind: kind of thing, such as `empty`, `wall`, `door` or `key`.
        colour: colour of the thing.
        state: state of a door: 0 open, 1 closed, 2 locked.
    """

    kind: str
    colour: str
    state: int

    @property
    def is_free(self) -> bool:
        """Whether the agent can stand here without ending the episode."""
        return self.kind in ("empty", "floor", "goal") or (self.kind == "door" and self.state == 0)

    @property
    def is_movable(self) -> bool:
        """Whether the agent can pick the thing up."""
        return self.kind in ("ball", "box", "key")


CELLS = [Cell(IDX_TO_OBJECT[kind], IDX_TO_COLOR[colour], state) for kind, colour, state in SYMBOLS.tolist()]


class SeenMap:
    """The seen cells, as they looked when last seen.

    Args:
        view: view of the agent, at the beginning of an episode.

    Attributes:
        cells: the seen cells by position.
        pose: position and direction of the agent.
    """

    def __init__(self, view: PartialView) -> None:
        self.view, self.world = view, view.unwrapped
        self.cells: dict[Position, Cell] = {}
        self.look()

    def add_goal(self, place: Position) -> None:
        """Marks the goal's position as seen."""
        self.cells[place] = Cell("goal", "green", 0)

    def look(self, forgetting: str | None = None) -> None:
        """Adds the cells in view; before that, removes all things of the kind `forgetting` from the map."""
        for place in self.find(forgetting) if forgetting else ():
            self.cells[place] = CELLS[EMPTY]
        world: Any = self.world
        x, y = (int(value) for value in world.agent_pos)
        self.pose: Pose = (x, y, int(world.agent_dir))
        own = self.cells.get((x, y), CELLS[EMPTY])  # at the agent's cell the view shows the carried thing
        width, outside = world.width, world.width * world.height
        for place, code in zip(places(world).ravel().tolist(), self.view.codes.ravel().tolist(), strict=True):
            if code != UNSEEN and place != outside:
                self.cells[place % width, place // width] = CELLS[code]
        self.cells[x, y] = own

    def find(self, kind: str, colour: str | None = None) -> list[Position]:
        """Returns the positions of things of a kind and colour; None: any colour."""
        return [place for place, cell in self.cells.items() if cell.kind == kind and colour in (None, cell.colour)]

    def unseen(self, place: Position) -> bool:
        """Returns whether a position is in the grid and was never seen."""
        return place not in self.cells and 0 <= place[0] < self.world.width and 0 <= place[1] < self.world.height

    def way(self, arrived: Callable[[Pose], bool], cost: Callable[[Position], int | None]) -> list[Pose] | None:
        """Finds the cheapest path from the agent's pose (Dijkstra 1959); of equally cheap ones, walking on comes first.

        Args:
            arrived: function that returns whether a pose is a target.
            cost: function that returns the cost of walking into a cell, 1 or more; None: impossible. A turn costs 1.

        Returns:
            The poses after the present one; None if there is no path.
        """
        before: dict[Pose, Pose | None] = {}
        queue: list[tuple[int, int, Pose, Pose | None]] = [(0, 0, self.pose, None)]
        number = 0
        while queue:
            spent, _, pose, previous = heapq.heappop(queue)
            if pose in before:
                continue
            before[pose] = previous
            if arrived(pose):
                return _path(before, pose)
            further = ahead(pose)
            for price, follower in ((cost(further[:2]), further), (1, turned(pose, 1)), (1, turned(pose, -1))):
                if price is not None and follower not in before:
                    number += 1
                    heapq.heappush(queue, (spent + price, number, follower, pose))
        return None


def _path(before: dict[Pose, Pose | None], pose: Pose) -> list[Pose]:
    path = [pose]
    while (previous := before[path[-1]]) is not None:
        path.append(previous)
    return path[-2::-1]


def neighbours(place: Position) -> Iterable[Position]:
    """Returns the positions of the four adjacent cells."""
    x, y = place
    return (x + 1, y), (x, y + 1), (x - 1, y), (x, y - 1)
