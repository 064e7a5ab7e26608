"""An expert for MiniGrid that plans over the cells it has seen."""

import re
from collections.abc import Collection
from functools import partial
from typing import Any

from minigrid.core.actions import Actions
from minigrid.core.constants import COLOR_NAMES

from datamodules.control.experts.babyai import Pose, ahead, turned
from datamodules.control.experts.seen_map import Position, SeenMap, neighbours
from datamodules.control.minigrid_view import PartialView
from gato_lightning.errors import ExpertFailure

THING = re.compile(rf"({'|'.join(COLOR_NAMES)}) (ball|box|door|key)")
ROOM = re.compile(r"(\w+) room\b")
CLEARING = 10  # cost of a cell with a thing: about the steps needed to move it out of the way
UNKNOWN = 2  # cost of an unseen cell, which may turn out to be a wall


class Explorer:
    """Plans at each step over the cells that it has seen: subgoals in a fixed order, and the cheapest path to each.

    A planner with the whole state would walk straight to things that the trained agent cannot see, and so teach guessing.
    This expert knows only the map of what it has seen, and the mission. Until it has seen what the mission names, it goes to
    the nearest cell from which it faces an unseen one. What is the same in all episodes of a level counts as seen: the goal's
    position, if it is always in the same corner. Unseen cells on the path to it are assumed to be free (Koenig & Likhachev
    2002, D* Lite), but never entered unseen.

    Args:
        env: the environment, at the beginning of an episode.
        goal: position of the goal, if that counts as seen.
        moving: whether balls move by themselves; then the expert forgets balls out of view, and waits if they block it.

    Raises:
        ExpertFailure: if the mission is of an unknown kind; when called, if there is nowhere left to go.
    """

    def __init__(self, env: PartialView, goal: Position | None = None, moving: bool = False) -> None:
        self.map, self.world, self.moving = SeenMap(env), env.unwrapped, moving
        if goal is not None:
            self.map.add_goal(goal)
        mission = str(self.world.mission)
        self.named = [(kind, colour) for colour, kind in THING.findall(mission)]
        self.room = next(iter(ROOM.findall(mission)), None)
        plans = {
            "goal": self._reach,
            "pick up the": self._pick_up,
            "open the door": self._unlock,
            "open the red door": self._open_in_turn,
            "put the": self._put_near,
            "matching object": self._match,
            "go to the": self._stand_before,
            r"(get|fetch) a": self._pick_up,
        }
        found = [begins for begins in plans if re.search(begins, mission)]
        if not found:
            raise ExpertFailure(f"the expert has no plan for the mission '{mission}'")
        self.plan = plans[found[0]]
        self.opens = found[0] in ("goal", "pick up the", "open the door")  # in others, opening a door may end the episode
        self.clears = self.opens and not moving  # in others, picking up a thing may end the episode
        self.avoided: set[Position] = set()
        self.way: set[Position] = set()  # the cells of the latest path
        self.dropping = False

    def __call__(self, observation: Any, executed: int | None) -> int:
        self.map.look(forgetting="ball" if self.moving else None)
        self.dropping = self.dropping and self.carried is not None
        action = self._put_down() if self.dropping else self.plan()
        if action is None:
            if not self.moving:
                raise ExpertFailure("nowhere left to go")
            action = Actions.left
        return int(action)

    @property
    def carried(self) -> Any:
        """The thing that the agent carries, or None."""
        return self.world.carrying

    # Missions: each method returns the next action

    def _reach(self) -> int | None:
        return self._do(self.map.find("goal"), Actions.forward)

    def _pick_up(self) -> int | None:
        if self.carried and self.carried.type != "key":
            return self._put_down()  # it was in the way
        return self._do(self.map.find(*self.named[0]), Actions.pickup)

    def _unlock(self) -> int | None:
        return self._do([], Actions.toggle)

    def _open_in_turn(self) -> int | None:
        doors = [self.map.find(*name) for name in self.named]
        closed = [places for places in doors if not any(self.map.cells[place].is_free for place in places)]
        return self._do(closed[0], Actions.toggle)

    def _put_near(self) -> int | None:
        thing, other = self.named
        if not self.carried:
            return self._do(self.map.find(*thing), Actions.pickup)
        around = {(x + i, y + j) for x, y in self.map.find(*other) for i in (-1, 0, 1) for j in (-1, 0, 1)}
        return self._do(around.intersection(self.map.find("empty")), Actions.drop)

    def _stand_before(self) -> int | None:
        return self._do(self.map.find(*self.named[0]), Actions.done)

    def _match(self) -> int | None:
        """Goes to the object that matches the one in the first column; a cell beside a wrong one would end the episode."""
        things = self.map.find("key") + self.map.find("ball")
        sought = [self.map.cells[place].kind for place in things if place[0] == 1]
        right = [place for place in things if place[0] > 1 and self.map.cells[place].kind in sought]
        self.avoided = {beside for place in things if place[0] > 1 and place not in right for beside in neighbours(place)}
        return self._do(right, Actions.forward)

    # Subgoals: each method returns an action, or None if the subgoal cannot be pursued

    def _do(self, targets: Collection[Position], action: int) -> int | None:
        """Faces one of the targets and acts on it; without a path to a target, searches for a path or for targets."""
        subgoals = (
            partial(self._face, targets, action),
            self._use_key,
            partial(self._face, targets, action, unseen=UNKNOWN),
            partial(self._explore, only=self.room) if self.room else None,
            self._explore,
            self._open_box,
            partial(self._face, targets, action, clearing=CLEARING),
            partial(self._explore, clearing=CLEARING),
        )
        return next((act for subgoal in subgoals if subgoal and (act := subgoal()) is not None), None)

    def _use_key(self) -> int | None:
        """Opens a seen, locked door: clears the path to it, fetches the key, and unlocks the door."""
        doors = [place for place in self.map.find("door") if self.map.cells[place].state == 2]
        key = self.carried.color if self.carried and self.carried.type == "key" else None
        if mine := [place for place in doors if self.map.cells[place].colour == key]:
            return self._face_clear(mine, Actions.toggle)
        for door in doors:
            if keys := self.map.find("key", self.map.cells[door].colour):
                if self.carried:
                    return self._put_down()
                if self._face([door], Actions.toggle) is None:
                    return self._face([door], Actions.toggle, clearing=CLEARING)
                return self._face_clear(keys, Actions.pickup)
        return None

    def _open_box(self) -> int | None:
        """Opens a box that the mission does not name, which may hide a key."""
        boxes = self.map.find("box") if self.clears and "box" not in dict(self.named) else []
        return self._face_clear(boxes, Actions.toggle)

    def _explore(self, only: str | None = None, clearing: int | None = None) -> int | None:
        """Goes to the nearest pose that faces an unseen cell; through closed doors only of the colour `only`, if given."""
        return self._go(lambda pose: self.map.unseen(ahead(pose)[:2]), partial(self._cost, only=only, clearing=clearing))

    def _put_down(self) -> int | None:
        """Drops the carried thing where it is not in the way: not on the latest path and, if possible, not beside a door."""
        self.dropping = True
        way = self.way
        empty = set(self.map.find("empty")) - way
        roomy = {place for place in empty if all(self._kind(beside) != "door" for beside in neighbours(place))}
        for places in (roomy, empty):
            if (action := self._face(places, Actions.drop)) is not None:
                self.way = way
                return action
        return None

    # Moves

    def _face_clear(self, targets: Collection[Position], action: int) -> int | None:
        """Faces a target and acts on it; clears a path only if no path is free."""
        ways = (self._face(targets, action, clearing=clearing) for clearing in (None, CLEARING))
        return next((act for act in ways if act is not None), None)

    def _face(
        self, targets: Collection[Position], action: int, unseen: int | None = None, clearing: int | None = None
    ) -> int | None:
        """Goes to face the nearest target, then acts on it.

        Args:
            targets: positions to face.
            action: what to do there.
            unseen: cost of an unseen cell; None: no path leads through it.
            clearing: cost of a thing on the path; None: no path leads through it.
        """
        if not targets:
            return None
        chosen = self._go(
            lambda pose: ahead(pose)[:2] in targets, partial(self._cost, unseen=unseen, clearing=clearing), action
        )
        return self._put_down() if chosen == Actions.pickup and self.carried else chosen

    def _go(self, arrived: Any, cost: Any, action: int | None = None) -> int | None:
        """Returns the first action of the cheapest path; `action` if the agent has arrived, None if there is no path."""
        path = self.map.way(arrived, cost)
        if not path:
            return action if path is not None else None
        self.way = {pose[:2] for pose in path} | {ahead(path[-1])[:2]}
        return self._step(path[0])

    def _step(self, following: Pose) -> int:
        pose = self.map.pose
        if following[:2] == pose[:2]:
            return Actions.right if following == turned(pose, 1) else Actions.left
        cell = self.map.cells[following[:2]]
        if cell.is_free:
            return Actions.forward
        return Actions.toggle if cell.kind == "door" else Actions.pickup

    def _cost(
        self, place: Position, only: str | None = None, unseen: int | None = None, clearing: int | None = None
    ) -> int | None:
        """Returns the cost of walking into a cell; None: impossible."""
        cell = self.map.cells.get(place)
        if cell is None:
            return unseen if self.map.unseen(place) else None
        if place in self.avoided:
            return None
        if cell.is_free:
            return 1
        if cell.kind == "door" and self.opens and only in (None, cell.colour):
            key = self.carried and self.carried.type == "key" and self.carried.color == cell.colour
            return 2 if cell.state == 1 or key else None
        return clearing if cell.is_movable and self.clears else None

    def _kind(self, place: Position) -> str | None:
        return self.map.cells[place].kind if place in self.map.cells else None
