"""Grid scenes in the style of BabyAI: a few coloured objects on a floor of square cells."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from random import Random

import numpy as np
from minigrid.core.grid import Grid
from minigrid.core.world_object import Ball, Box, Key

COLOURS = ("red", "green", "blue", "purple", "yellow", "grey")
TYPES = ("ball", "key", "box")
CONCEPTS = tuple(f"{colour} {kind}" for colour, kind in product(COLOURS, TYPES))  # "red ball", ...


@dataclass(frozen=True)
class Thing:
    """One object of a scene.

    Args:
        colour: one of `COLOURS`.
        kind: one of `TYPES`.
        row: row of the object's cell, 0 at the top.
        column: column of the object's cell, 0 at the left.
    """

    colour: str
    kind: str
    row: int
    column: int

    @property
    def concept(self) -> str:
        """Colour and type, such as `"red ball"`."""
        return f"{self.colour} {self.kind}"


Scene = tuple[Thing, ...]


def sample_scene(rng: Random, grid: int, most: int, concepts: Sequence[str]) -> Scene:
    """Draws 2 to `most` objects in different cells of a `grid` x `grid` grid; objects may be equal."""
    things = []
    for cell in rng.sample(range(grid * grid), rng.randint(2, most)):
        colour, kind = rng.choice(concepts).split()
        things.append(Thing(colour, kind, *divmod(cell, grid)))
    return tuple(things)


def object_set(scene: Scene) -> str:
    """Returns the objects of a scene with their counts, without their positions: `"blue key 1, red ball 2"`."""
    counts = Counter(thing.concept for thing in scene)
    return ", ".join(f"{concept} {counts[concept]}" for concept in sorted(counts))


@cache
def _tiles(tile_size: int) -> np.ndarray:
    """Returns images of the empty cell and of every concept, uint8 (1 + concepts, tile_size, tile_size, 3)."""
    makers = {"ball": Ball, "key": Key, "box": Box}
    things = [makers[kind](colour) for colour, kind in product(COLOURS, TYPES)]
    return np.stack([Grid.render_tile(thing, tile_size=tile_size) for thing in (None, *things)]).astype(np.uint8)


def render(scenes: Sequence[Scene], grid: int, tile_size: int) -> np.ndarray:
    """Renders T scenes with MiniGrid's tiles, uint8 (T, grid * tile_size, grid * tile_size, 3)."""
    cells = np.zeros((len(scenes), grid, grid), np.int64)
    for scene, rows in zip(scenes, cells, strict=True):
        for thing in scene:
            rows[thing.row, thing.column] = 1 + CONCEPTS.index(thing.concept)
    pictures = _tiles(tile_size)[cells]  # (T, grid, grid, tile, tile, 3)
    side = grid * tile_size
    return pictures.transpose(0, 1, 3, 2, 4, 5).reshape(len(scenes), side, side, 3)
