"""MiniGrid's expert: it goes by what it has seen."""

import pytest

from datamodules.control.minigrid import MiniGridDataModule


def make(level: str, **settings: object) -> MiniGridDataModule:
    return MiniGridDataModule(f"MiniGrid-{level}-v0", **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("level", ["FourRooms", "MultiRoom-N4-S5", "KeyCorridorS4R3", "MemoryS11"])
def test_the_expert_goes_by_what_it_has_seen(level):
    """What was never in view may be anything: it does the same until it sees what differs."""
    module = make(level)
    for seed in range(3):
        module.env.reset(seed=seed)
        expert = module.make_expert(module.env)
        world = module.env.unwrapped
        for _ in range(10):
            action = expert(None, None)
            hidden = [i for i in range(len(world.grid.grid)) if (i % world.width, i // world.width) not in expert.map.cells]
            kept = [world.grid.grid[i] for i in hidden]
            for i in hidden:
                world.grid.grid[i] = None
            assert expert(None, None) == action
            for i, cell in zip(hidden, kept, strict=True):
                world.grid.grid[i] = cell
            if any(module.env.step(action)[2:4]):
                break


def test_the_expert_looks_at_the_thing_to_be_matched_before_it_chooses():
    module = make("MemoryS13")
    for seed in range(20):
        assert module.success(module.play(seed))
