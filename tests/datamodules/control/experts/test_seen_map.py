"""The map of what an agent has seen, and the ways through it."""

import pytest

from datamodules.control.experts.seen_map import SeenMap, neighbours
from datamodules.control.minigrid import MiniGridDataModule


@pytest.fixture
def seen() -> SeenMap:
    module = MiniGridDataModule("MiniGrid-Empty-6x6-v0", tile_size=8)
    module.env.reset(seed=0)
    return SeenMap(module.env)


def test_what_is_in_view_is_known_as_it_is(seen):
    grid = seen.world.grid
    for (x, y), cell in seen.cells.items():
        there = grid.get(x, y)
        if (x, y) != tuple(seen.world.agent_pos):
            assert cell.kind == ("empty" if there is None else there.type)


def test_behind_the_agent_nothing_is_known_until_it_turns(seen):
    before = len(seen.cells)
    seen.view.step(0)
    seen.look()
    assert len(seen.cells) >= before


def test_the_way_is_the_shortest_in_turns_and_steps(seen):
    (goal,) = seen.find("goal")
    way = seen.way(
        lambda pose: pose[:2] == goal, lambda place: 1 if place in seen.cells and seen.cells[place].is_free else None
    )
    assert way is not None
    x, y, _ = seen.pose
    assert len(way) == abs(goal[0] - x) + abs(goal[1] - y) + 1  # one turn
    assert way[-1][:2] == goal


def test_where_nothing_can_be_walked_into_there_is_no_way(seen):
    assert seen.way(lambda pose: pose[:2] == (6, 6), lambda place: None) is None


def test_neighbours_are_one_step_away():
    assert set(neighbours((3, 4))) == {(2, 4), (4, 4), (3, 3), (3, 5)}
