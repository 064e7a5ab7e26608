"""Experts for BabyAI: MiniGrid's bot, which remembers what it has seen, and a reactive one, which acts on what it sees."""

from collections import deque
from collections.abc import Collection
from typing import Any

import numpy as np
from minigrid.core.actions import Actions
from minigrid.core.constants import DIR_TO_VEC, OBJECT_TO_IDX
from minigrid.core.grid import Grid
from minigrid.core.world_object import WorldObj
from minigrid.envs.babyai.core.verifier import GoToInstr, OpenInstr, PickupInstr
from minigrid.utils.baby_ai_bot import BabyAIBot

from datamodules.control.minigrid_sight import UNSEEN, VIEW, places
from datamodules.control.minigrid_view import PartialView
from gato_lightning.errors import ExpertFailure

# (column, row, direction): where the agent stands and which way it faces
Pose = tuple[int, int, int]

LAST_ACTION = {GoToInstr: Actions.done, PickupInstr: Actions.pickup, OpenInstr: Actions.toggle}
MOST_SEARCHES = 100  # per action; in rare layouts (some of UnlockToUnlock) the bot alternates between plans for ever
STEPS = [(int(dx), int(dy)) for dx, dy in DIR_TO_VEC]  # by direction
WIDE = 4  # free cells ahead from which it is worth walking on to see more


class Bot(BabyAIBot):
    """MiniGrid's bot in half its time: it gets the visible cells from the view, and searches with a queue."""

    def __init__(self, env: PartialView) -> None:
        self.view = env
        super().__init__(env.unwrapped)
        world = self.mission
        # One element per cell, row after row, and one for everything outside; the bot's own mask is a view of this array.
        self.explored = np.zeros(world.width * world.height + 1, bool)
        self.vis_mask = self.explored[:-1].reshape(world.height, world.width).T

    def __call__(self, observation: Any, executed: int | None) -> int:
        self.searches = 0
        try:
            return int(self.replan(executed))
        # The bot's failures have no common type: assertions, attribute errors on None, an exception of its own.
        except Exception as error:
            raise ExpertFailure(f"the BabyAI bot gave up: {error!r}") from error

    def _shortest_path(self, *args: Any, **kwargs: Any) -> Any:
        self.searches += 1
        if self.searches > MOST_SEARCHES:
            raise ExpertFailure(f"no decision after {MOST_SEARCHES} searches for a way")
        return super()._shortest_path(*args, **kwargs)

    def _process_obs(self) -> None:
        self.explored[places(self.mission)[self.view.codes != UNSEEN]] = True

    def _breadth_first_search(
        self, initial_states: Any, accept_fn: Any, ignore_blockers: bool
    ) -> tuple[Any, Any, dict[Any, Any]]:
        """Replaces MiniGrid's search, which copies the whole list of states to remove the first one."""
        queue = deque((state, None) for state in initial_states)
        grid, before = self.mission.grid, {}
        while queue:
            (i, j, di, dj), previous = queue.popleft()
            if (i, j) in before:
                continue
            cell = grid.get(i, j)
            before[i, j] = previous
            if accept_fn((i, j), cell):
                path, position = [], (i, j)
                while position:
                    path.append(position)
                    position = before[position]
                return path, (i, j), before
            if not self.vis_mask[i, j]:
                continue
            if cell and (cell.type == "wall" or (not cell.is_open if cell.type == "door" else not ignore_blockers)):
                continue
            # The cell ahead, which needs no turn, comes first.
            queue.extend(((i + dx, j + dy, dx, dy), (i, j)) for dx, dy in ((di, dj), (dj, di), (-dj, -di), (-di, -dj)))
        return None, None, before


class Reactive:
    """Looks around by a fixed rule until it sees a target, then takes the shortest path to it.

    Its actions mostly follow from the present view, while those of the exploring bot do not. It solves missions of one clause
    (go to, pick up, open) whose target is in the agent's own room. It remembers a target that it has seen, in case it loses
    sight of it on the way round an obstacle: without that memory, up to a tenth of the episodes fail.

    Raises:
        ExpertFailure: if the mission is of another kind, or no target can be reached.
    """

    def __init__(self, env: PartialView) -> None:
        self.view = env
        self.world: Any = env.unwrapped
        instruction = self.world.instrs
        if type(instruction) not in LAST_ACTION:
            raise ExpertFailure(f"the reactive expert has no plan for the mission '{self.world.mission}'")
        self.last_action = int(LAST_ACTION[type(instruction)])
        free = free_cells(self.world.grid)
        self.costs = {(int(x), int(y)): costs_to_face(free, (int(x), int(y))) for x, y in instruction.desc.obj_poss}
        self.seen: set[tuple[int, int]] = set()
        if not any(self._pose() in costs for costs in self.costs.values()):
            raise ExpertFailure(f"the reactive expert cannot reach what '{self.world.mission}' names")

    def __call__(self, observation: Any, executed: int | None) -> int:
        pose = self._pose()
        self.seen |= {target for target, costs in self.costs.items() if pose in costs and self._visible(target)}
        if not self.seen:
            return self._look_around()
        costs = min((self.costs[target] for target in self.seen), key=lambda costs: costs[pose])
        if costs[pose] == 0:
            return self.last_action
        # Of equally good actions the first is taken: walking on keeps the target in view.
        followers = [(Actions.forward, ahead(pose)), (Actions.right, turned(pose, 1)), (Actions.left, turned(pose, -1))]
        return int(min(followers, key=lambda follower: costs.get(follower[1], np.inf))[0])

    def _pose(self) -> Pose:
        return int(self.world.agent_pos[0]), int(self.world.agent_pos[1]), int(self.world.agent_dir)

    def _visible(self, target: tuple[int, int]) -> bool:
        cell = self.world.relative_coords(*target)
        return cell is not None and self.view.symbols[(*cell, 0)] != OBJECT_TO_IDX["unseen"]

    def _look_around(self) -> int:
        """Walks forward if the room is wide ahead, else turns right: this shows all of a room of 6 x 6 cells without memory."""
        column = [WorldObj.decode(*cell) for cell in self.view.symbols[VIEW // 2, VIEW - 2 :: -1]]
        depth = next((i for i, cell in enumerate(column) if cell and not cell.see_behind()), len(column))
        return int(Actions.forward if depth >= WIDE and passable(column[0]) else Actions.right)


def free_cells(grid: Grid) -> set[tuple[int, int]]:
    """Returns the cells in which the agent can stand, as (column, row)."""
    return {divmod(place, grid.width)[::-1] for place, cell in enumerate(grid.grid) if passable(cell)}


def costs_to_face(free: Collection[tuple[int, int]], target: tuple[int, int]) -> dict[Pose, int]:
    """Returns the fewest moves (forward, left, right) from each pose to one that faces the target from a cell beside it.

    Args:
        free: cells in which the agent can stand.
        target: a cell, free or not.
    """
    costs: dict[Pose, int] = {}
    queue = deque(((*ahead((*target, (d + 2) % 4))[:2], d), 0) for d in range(4))
    while queue:
        pose, cost = queue.popleft()
        if pose in costs or pose[:2] not in free:
            continue
        costs[pose] = cost
        behind = ahead(turned(pose, 2))[:2] + pose[2:]
        queue.extend((before, cost + 1) for before in (turned(pose, 1), turned(pose, -1), behind))
    return costs


def passable(cell: WorldObj | None) -> bool:
    """Returns whether the agent can stand in a cell."""
    return cell is None or cell.can_overlap()


def turned(pose: Pose, quarters: int) -> Pose:
    """Returns the pose after a number of quarter turns to the right."""
    return pose[0], pose[1], (pose[2] + quarters) % 4


def ahead(pose: Pose) -> Pose:
    """Returns the pose one cell ahead."""
    dx, dy = STEPS[pose[2]]
    return pose[0] + dx, pose[1] + dy, pose[2]
