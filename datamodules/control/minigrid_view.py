"""A level of BabyAI or MiniGrid as the agent sees it: pictures of the 7 x 7 cells before it, drawn from ready-made tiles."""

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

UP = 3  # the direction the agent is drawn to look in


class Tiles:
    """Pictures of cells, drawn by MiniGrid when first needed and kept.

    Args:
        size: pixels a side of a cell.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        # Twice: without and with the agent standing there.
        self.pictures = np.zeros((2 * NUM_CODES, size, size, 3), np.uint8)
        self.drawn = np.zeros(2 * NUM_CODES, bool)

    def render(self, codes: np.ndarray) -> np.ndarray:
        """The picture of a view.

        Args:
            codes: (7, 7) int64, see `minigrid_sight.sight`.

        Returns:
            (7 * size, 7 * size, 3) uint8, equal to that of MiniGrid's `RGBImgPartialObsWrapper`.
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


tiles_of = functools.cache(Tiles)  # by size: shared by all environments of a process


@functools.cache
def _unobserved(level: type[MiniGridEnv]) -> type[MiniGridEnv]:
    """The level, but silent and without an observation: to make MiniGrid's takes most of a step."""

    class Unobserved(level):  # type: ignore[misc, valid-type]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.actions = SimpleNamespace(**Actions.__members__)  # quicker to look up than in the enumeration

        def reset(self, **kwargs: Any) -> Any:
            self._searched: list[Any] = []
            # Levels print each layout that they reject.
            with contextlib.redirect_stdout(None):
                return super().reset(**kwargs)

        def gen_obs(self) -> None:
            return None

        def update_objs_poss(self, instr: Any = None) -> None:
            """Searches all cells for what the mission names, after each action `drop`: only needed if a cell has changed."""
            cells = self.grid.grid
            if instr is not None or cells != self._searched:
                self._searched = cells.copy()
                super().update_objs_poss(instr)

    return Unobserved


def make_level(env_id: str, render_mode: str | None = None) -> gymnasium.Env:
    """Makes a level that observes nothing."""
    spec = gymnasium.spec(env_id)
    spec = replace(spec, entry_point=_unobserved(load_env_creator(spec.entry_point)))
    return gymnasium.make(spec, render_mode=render_mode, disable_env_checker=True)


class PartialView(gymnasium.Wrapper):
    """Observations are the picture of the view, the mission as text, and the direction the agent faces.

    Args:
        env: made by `make_level`.
        tile_size: pixels a side of a cell.

    Attributes:
        codes: the latest view, (7, 7) int64, see `minigrid_sight.sight`.
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
        """The latest view as MiniGrid encodes it, (7, 7, 3) uint8, column first; object 0 is a cell not seen."""
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
