"""What a BabyAI agent sees: pictures of the 7 x 7 cells before it, drawn from ready-made tiles."""

import contextlib
import functools
import string
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from minigrid.core.constants import COLOR_TO_IDX, IDX_TO_OBJECT
from minigrid.core.grid import Grid
from minigrid.core.world_object import WorldObj

VIEW = 7  # cells a side; the agent stands in the middle of the lowest row
STATES = 3  # of a door: open, closed, locked
UP = 3  # the direction the agent is drawn to look in
_CODES = len(IDX_TO_OBJECT) * len(COLOR_TO_IDX) * STATES


class Tiles:
    """Pictures of cells, drawn by MiniGrid when first needed and kept.

    Args:
        size: pixels a side of a cell.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # Twice: without and with the agent standing there.
        self.pictures = np.zeros((2 * _CODES, size, size, 3), np.uint8)
        self.drawn = np.zeros(2 * _CODES, bool)

    def render(self, symbols: np.ndarray) -> np.ndarray:
        """The picture of a view.

        Args:
            symbols: (7, 7, 3) uint8, MiniGrid's own observation: object, colour and state of each cell, column first.

        Returns:
            (7 * size, 7 * size, 3) uint8, equal to that of MiniGrid's `RGBImgPartialObsWrapper`.
        """
        kind, colour, state = np.moveaxis(symbols.astype(int), -1, 0)
        codes = (kind * len(COLOR_TO_IDX) + colour) * STATES + state
        codes[VIEW // 2, VIEW - 1] += _CODES
        if not self.drawn[codes].all():
            for code in np.unique(codes[~self.drawn[codes]]):
                self._draw(int(code))
        tiles = self.pictures[codes]  # (columns, rows, size, size, 3)
        return tiles.transpose(1, 2, 0, 3, 4).reshape(VIEW * self.size, VIEW * self.size, 3)

    def _draw(self, code: int) -> None:
        agent, rest = divmod(code, _CODES)
        kind, rest = divmod(rest, len(COLOR_TO_IDX) * STATES)
        colour, state = divmod(rest, STATES)
        self.pictures[code] = Grid.render_tile(
            WorldObj.decode(kind, colour, state),
            agent_dir=UP if agent else None,
            highlight=IDX_TO_OBJECT[kind] != "unseen",
            tile_size=self.size,
        )
        self.drawn[code] = True


tiles_of = functools.cache(Tiles)  # by size: shared by all environments of a process


class PartialView(gymnasium.Wrapper):
    """Observations are the picture of the view, the mission as text, and the direction the agent faces.

    Args:
        env: a BabyAI environment.
        tile_size: pixels a side of a cell.

    Attributes:
        symbols: the latest view as MiniGrid encodes it, (7, 7, 3) uint8; object 0 is a cell not seen.
    """

    symbols: np.ndarray

    def __init__(self, env: gymnasium.Env, tile_size: int) -> None:
        super().__init__(env)
        self.tiles = tiles_of(tile_size)
        self.observation_space = spaces.Dict(
            {
                "direction": spaces.Discrete(4),
                "image": spaces.Box(0, 255, (VIEW * tile_size, VIEW * tile_size, 3), np.uint8),
                "mission": spaces.Text(max_length=1000, charset=string.printable),
            }
        )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        # Levels print each layout that they reject.
        with contextlib.redirect_stdout(None):
            observation, info = self.env.reset(seed=seed, options=options)
        return self._seen(observation), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        return self._seen(observation), reward, terminated, truncated, info

    def _seen(self, observation: dict[str, Any]) -> dict[str, Any]:
        self.symbols = observation["image"]
        return {
            "direction": int(observation["direction"]),
            "image": self.tiles.render(self.symbols),
            "mission": str(observation["mission"]),
        }
