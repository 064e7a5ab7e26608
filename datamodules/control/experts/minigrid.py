"""An expert for MiniGrid that goes by what it has seen."""

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
CLEARING = 10  # about the steps that it takes to put a thing out of the way
UNKNOWN = 2  # a cell not seen may turn out to be a wall


class Explorer:
    """Plans over the cells that it has seen, at each step anew: subgoals in a fixed order, the cheapest way to each.

    A planner with the whole state would walk straight to what the pupil cannot see, and teach guessing. This one knows no more
    than who has had the same views: the map that they make up, and the mission. As long as what the mission names was not
    seen, it goes to the nearest cell from which it faces an unseen one. What is the same in all episodes of a level counts
    as seen: where the goal is, if it is always in the same corner. Cells on the way to it that were not seen are taken to
    be free (Koenig & Likhachev 2002, D* Lite), but never entered unseen.

    Args:
        env: whose episode has begun.
        goal: where the goal is, if that counts as seen.
        moving: whether balls move by themselves: then it forgets those out of view, and waits where they stop it.

    Raises:
        ExpertFailure: a mission of an unknown kind; when called, nowhere left to go.
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
        self.opens = found[0] in ("goal", "pick up the", "open the door")  # elsewhere an opened door may end the episode
        self.clears = self.opens and not moving  # elsewhere a thing picked up may
        self.avoided: set[Position] = set()
        self.way: set[Position] = set()  # the cells of the latest
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
        """What the agent carries; None: nothing."""
        return self.world.carrying

    # Missions: what to do next

    def _reach(self) -> int | None:
        return self._do(self.map.find("goal"), Actions.forward)

    def _pick_up(self) -> int | None:
        if self.carried and self.carried.type != "key":
            return self._put_down()  # it stood in the way
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
        """The thing in the first column tells which of the others to go to; to come beside the wrong one ends the episode."""
        things = self.map.find("key") + self.map.find("ball")
        sought = [self.map.cells[place].kind for place in things if place[0] == 1]
        right = [place for place in things if place[0] > 1 and self.map.cells[place].kind in sought]
        self.avoided = {beside for place in things if place[0] > 1 and place not in right for beside in neighbours(place)}
        return self._do(right, Actions.forward)

    # Subgoals: each gives an action, or None where it cannot be pursued

    def _do(self, targets: Collection[Position], action: int) -> int | None:
        """Faces one of the targets and acts on it; looks for a way to them otherwise, and for them."""
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
        """Opens a locked door that was seen: clears the way to it, fetches the key, turns it."""
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
        """A box that the mission does not name may hide a key."""
        boxes = self.map.find("box") if self.clears and "box" not in dict(self.named) else []
        return self._face_clear(boxes, Actions.toggle)

    def _explore(self, only: str | None = None, clearing: int | None = None) -> int | None:
        """To the nearest pose that faces an unseen cell; through closed doors of the colour `only`, where that is given."""
        return self._go(lambda pose: self.map.unseen(ahead(pose)[:2]), partial(self._cost, only=only, clearing=clearing))

    def _put_down(self) -> int | None:
        """Drops what is carried where it stands in nobody's way: not beside a door, and not on the latest way."""
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
        """Faces and acts; only where no way is free, clears one."""
        ways = (self._face(targets, action, clearing=clearing) for clearing in (None, CLEARING))
        return next((act for act in ways if act is not None), None)

    def _face(
        self, targets: Collection[Position], action: int, unseen: int | None = None, clearing: int | None = None
    ) -> int | None:
        """Goes to face the nearest target, then acts on it. Costs of cells not seen and of things on the way; None: no way."""
        if not targets:
            return None
        chosen = self._go(
            lambda pose: ahead(pose)[:2] in targets, partial(self._cost, unseen=unseen, clearing=clearing), action
        )
        return self._put_down() if chosen == Actions.pickup and self.carried else chosen

    def _go(self, arrived: Any, cost: Any, action: int | None = None) -> int | None:
        """The first step of the cheapest way; `action` where the way is at its end."""
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
        """Of walking into a cell; None: it cannot be walked into."""
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
