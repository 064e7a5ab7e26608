"""Observations of BabyAI and MiniGrid: images of the 7 x 7 cells in front of the agent, drawn from cached tiles."""

import contextlib
import functools
import string
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import load_env_creator
from minigrid.core.actions import Actions
from minigrid.core.constants import IDX_TO_OBJECT
from minigrid.core.grid import Grid
from minigrid.core.world_object import WorldObj
from minigrid.minigrid_env import MiniGridEnv

from datamodules.control.minigrid_sight import AGENT, NUM_CODES, SYMBOLS, VIEW, sight

UP = 3  # the direction in which the agent is drawn


class Tiles:
    """Images of cells, drawn by MiniGrid when first needed, then cached.

    Args:
        size: side of a cell in pixels.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # The first half is without the agent in the cell, the second half with it.
        self.pictures = np.zeros((2 * NUM_CODES, size, size, 3), np.uint8)
        self.drawn = np.zeros(2 * NUM_CODES, bool)

    def render(self, codes: np.ndarray) -> np.ndarray:
        """Renders the image of a view.

        Args:
            codes: codes of the cells, (7, 7) int64, see `minigrid_sight.sight`.

        Returns:
            (7 * size, 7 * size, 3) uint8, equal to the image of MiniGrid's `RGBImgPartialObsWrapper`.
        """
        codes = codes.copy()
        codes[AGENT] += NUM_CODES
        if not self.drawn[codes].all():
            for code in np.unique(codes[~self.drawn[codes]]):
                self._draw(int(code))
        tiles = self.pictures[codes]  # (rows, columns, size, size, 3)
        return tiles.swapaxes(1, 2).reshape(VIEW * self.size, VIEW * self.size, 3)

    def _draw(self, code: int) -> None:
        agent, rest = divmod(code, NUM_CODES)
        kind, colour, state = SYMBOLS[rest].tolist()
        self.pictures[code] = Grid.render_tile(
            WorldObj.decode(kind, colour, state),
            agent_dir=UP if agent else None,
            highlight=IDX_TO_OBJECT[kind] != "unseen",
            tile_size=self.size,
        )
        self.drawn[code] = True


tiles_of = functools.cache(Tiles)  # by size; shared by all environments of a process


@functools.cache
def _unobserved(level: type[MiniGridEnv]) -> type[MiniGridEnv]:
    """Returns the level's class without output and observations; making MiniGrid's observation takes most of a step."""

    class Unobserved(level):  # type: ignore[misc, valid-type]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.actions = SimpleNamespace(**Actions.__members__)  # faster to access than the enumeration

        def reset(self, **kwargs: Any) -> Any:
            self._searched: list[Any] = []
            # A level prints each layout that it rejects.
            with contextlib.redirect_stdout(None):
                return super().reset(**kwargs)

        def gen_obs(self) -> None:
            return None

        def update_objs_poss(self, instr: Any = None) -> None:
            """Updates the positions of the mission's objects by searching all cells, only if a cell has changed.

            MiniGrid calls this after each action `drop`.
            """
            cells = self.grid.grid
            if instr is not None or cells != self._searched:
                self._searched = cells.copy()
                super().update_objs_poss(instr)

    return Unobserved


def make_level(env_id: str, render_mode: str | None = None) -> gymnasium.Env:
    """Makes a level without observations."""
    spec = gymnasium.spec(env_id)
    spec = replace(spec, entry_point=_unobserved(load_env_creator(spec.entry_point)))
    return gymnasium.make(spec, render_mode=render_mode, disable_env_checker=True)


class PartialView(gymnasium.Wrapper):
    """Adds observations: the image of the view, the mission as text, and the direction that the agent faces.

    Args:
        env: a level made by `make_level`.
        tile_size: side of a cell in pixels.

    Attributes:
        codes: codes of the latest view, (7, 7) int64, see `minigrid_sight.sight`.
    """

    codes: np.ndarray

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

    @property
    def symbols(self) -> np.ndarray:
        """The latest view in MiniGrid's encoding, (7, 7, 3) uint8, columns first; object 0 is an unseen cell."""
        return SYMBOLS[self.codes].swapaxes(0, 1)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        _, info = self.env.reset(seed=seed, options=options)
        return self._seen(), info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        _, reward, terminated, truncated, info = self.env.step(action)
        return self._seen(), reward, terminated, truncated, info

    def _seen(self) -> dict[str, Any]:
        world: Any = self.unwrapped
        self.codes = sight(world)
        return {"direction": int(world.agent_dir), "image": self.tiles.render(self.codes), "mission": str(world.mission)}
