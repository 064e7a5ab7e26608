"""Token episodes on disk: memory-mapped arrays, written once, atomically.

A store is a folder: `meta.json` and one .npy file per array. Timesteps lie end to end; an episode is a range of timesteps, a
timestep a range of slots. What a slot holds follows from its timestep's layout, so only its id is stored; each distinct patch
is stored once.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow

from gato_lightning.common.outputs import to_disk
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import Example
from gato_lightning.tokens.patches import PATCH
from gato_lightning.tokens.timestep import Layout, TokenTimesteps, distinct

_ARRAYS = (
    "ids",
    "first_slot",
    "layout",
    "first_patch",
    "patch_index",
    "patches",
    "first_timestep",
    "returns",
    "source",
)
_META = "meta.json"
_EXAMPLES = "examples.json"
_PARTIAL = ".partial-"


@dataclass(frozen=True)
class TokenEpisode:
    """An episode as tokens, with what sampling needs to know of it.

    Args:
        timesteps: its tokens.
        total_reward: its return, in the environment's units.
        source: who acted.
        examples: by timestep, those that text is to be written for.
    """

    timesteps: TokenTimesteps
    total_reward: float
    source: str
    examples: Mapping[int, Example] = field(default_factory=dict)


class EpisodeStore:
    """Read access to a store.

    Args:
        folder: where it lies.

    Attributes:
        ids: (S,) uint16 token ids of all slots.
        first_slot: (T + 1,) int32 (int64 where that is too narrow) first slot of each timestep, and the end.
        layout: (T,) uint16 or uint32 index into `layouts`.
        first_patch: (T + 1,) int32 or int64 first patch slot of each timestep.
        patch_index: (P,) int32 row of `patches` in each patch slot.
        patches: (U, 16, 16, 3) uint8 distinct patches.
        first_timestep: (E + 1,) int32 or int64 first timestep of each episode.
        returns: (E,) float32; source: (E,) int32 index into `meta["sources"]`.

    Raises:
        UserError: the folder is no store.
    """

    ids: np.ndarray
    first_slot: np.ndarray
    layout: np.ndarray
    first_patch: np.ndarray
    patch_index: np.ndarray
    patches: np.ndarray
    first_timestep: np.ndarray
    returns: np.ndarray
    source: np.ndarray

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        try:
            self.meta: dict[str, Any] = json.loads((self.folder / _META).read_text())
            for name in _ARRAYS:
                setattr(self, name, _mapped(self.folder / f"{name}.npy"))
        except (OSError, ValueError, KeyError) as error:
            raise UserError(f"episode store {self.folder}: cannot be read ({error})") from error
        self.layouts = tuple(
            Layout(tuple(one["kinds"]), tuple(tuple(grid) for grid in one["grids"]), one.get("counted", True))
            for one in self.meta["layouts"]
        )

    @property
    def num_episodes(self) -> int:
        return len(self.returns)

    @property
    def num_timesteps(self) -> int:
        return len(self.layout)

    @property
    def num_slots(self) -> int:
        return len(self.ids)

    def episode(self, number: int) -> TokenEpisode:
        """Reads an episode back, without its examples."""
        first, end = (int(i) for i in self.first_timestep[number : number + 2])
        slots = slice(int(self.first_slot[first]), int(self.first_slot[end]))
        used, index = np.unique(
            self.patch_index[int(self.first_patch[first]) : int(self.first_patch[end])], return_inverse=True
        )
        timesteps = TokenTimesteps(
            ids=self.ids[slots],
            layouts=self.layouts,
            layout=self.layout[first:end].astype(np.int64),
            patches=self.patches[used],
            patch_index=index.reshape(-1),
        )
        return TokenEpisode(timesteps, float(self.returns[number]), self.meta["sources"][int(self.source[number])])

    @cached_property
    def examples(self) -> dict[int, Example]:
        """By timestep, those that text is to be written for."""
        path = self.folder / _EXAMPLES
        rows = json.loads(path.read_text()) if path.exists() else []
        return {timestep: Example(tuple(references), group) for timestep, references, group in rows}

    @cached_property
    def layout_start(self) -> np.ndarray:
        """(number of layouts + 1,) int64: where each layout begins in `layout_kinds`."""
        return np.cumsum([0, *(len(layout.kinds) for layout in self.layouts)])

    @cached_property
    def layout_kinds(self) -> np.ndarray:
        """The kinds of all layouts, end to end, int64."""
        return np.concatenate([np.array(layout.kinds, np.int64) for layout in self.layouts])

    @cached_property
    def layout_counted(self) -> np.ndarray:
        """(number of layouts,) bool: True where text and action count in the loss."""
        return np.array([layout.counted for layout in self.layouts])

    @cached_property
    def interval_start(self) -> np.ndarray:
        """(number of layouts + 1,) int64: where each layout begins in `layout_intervals`."""
        return np.cumsum([0, *(len(layout.intervals) for layout in self.layouts)])

    @cached_property
    def layout_intervals(self) -> np.ndarray:
        """The patch intervals of all layouts, end to end, (n, 4) int64."""
        return np.concatenate([layout.intervals for layout in self.layouts])

    @cached_property
    def widest(self) -> int:
        """Slots of the longest timestep."""
        return max(len(layout.kinds) for layout in self.layouts)

    @cached_property
    def narrowest(self) -> int:
        """Slots of the shortest timestep."""
        return min(len(layout.kinds) for layout in self.layouts)


def is_store(folder: Path) -> bool:
    """Whether a store lies in the folder."""
    return (folder / _META).exists()


def clear_store(folder: Path) -> None:
    """Removes what a killed run left where a store is to be: parts of one.

    No process may be making the store.

    Raises:
        UserError: the folder holds something else.
    """
    for partial in folder.parent.glob(f"{folder.name}{_PARTIAL}*"):
        shutil.rmtree(partial)
    if not folder.exists() or is_store(folder):
        return
    files = {_EXAMPLES, _META, *(f"{name}.npy" for name in _ARRAYS)}
    if others := sorted({path.name for path in folder.iterdir()} - files):
        raise UserError(f"{folder}: {others[0]} is no part of an episode store; remove the folder")
    shutil.rmtree(folder)


def _mapped(path: Path) -> np.ndarray:
    """A .npy file as a read-only array.

    `np.load` would keep a descriptor for each, of which a process often has no more than 1024.
    """
    with pyarrow.memory_map(str(path)) as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
        return np.frombuffer(file.read_buffer(), dtype, math.prod(shape)).reshape(shape)


def write_store(folder: Path, episodes: Sequence[TokenEpisode], meta: dict[str, Any]) -> None:
    """Writes a store: all of it or nothing.

    The files go into a folder beside it that is renamed when complete, so what stands under `folder` is always whole. A store
    that another process finished meanwhile is kept.

    Raises:
        OSError: the disk is full or not writable; what had been written is removed.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{folder.name}{_PARTIAL}", dir=folder.parent))
    try:
        arrays, layouts, sources = _join(episodes)
        for name in _ARRAYS:
            np.save(partial / f"{name}.npy", arrays[name])
        if examples := _examples(episodes):
            (partial / _EXAMPLES).write_text(json.dumps(examples))
        (partial / _META).write_text(
            json.dumps({**meta, "layouts": [asdict(layout) for layout in layouts], "sources": sources})
        )
        partial.chmod(0o755)  # made for its owner alone
        for file in partial.iterdir():
            to_disk(file)
        try:
            partial.rename(folder)
        except OSError:
            if not is_store(folder):
                raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _examples(episodes: Sequence[TokenEpisode]) -> list[tuple[int, Sequence[str], str]]:
    """Rows of (timestep of the store, references, group)."""
    first = np.cumsum([0, *(len(episode.timesteps) for episode in episodes)]).tolist()
    found = ((begin + t, one) for begin, episode in zip(first, episodes, strict=False) for t, one in episode.examples.items())
    return [(timestep, one.references, one.group) for timestep, one in found]


def _join(episodes: Sequence[TokenEpisode]) -> tuple[dict[str, np.ndarray], list[Layout], list[str]]:
    """Lays episodes end to end: joint layouts, joint distinct patches."""
    steps = [episode.timesteps for episode in episodes]
    layouts: dict[Layout, int] = {}
    layout = [np.array([layouts.setdefault(one, len(layouts)) for one in part.layouts])[part.layout] for part in steps]
    offsets = np.cumsum([0, *(len(part.patches) for part in steps)])
    every = np.concatenate([np.empty((0, PATCH, PATCH, 3), np.uint8), *(part.patches for part in steps)])
    patches, row = distinct(every)
    index = [row[part.patch_index + offset] for part, offset in zip(steps, offsets, strict=False)]
    sources = list(dict.fromkeys(episode.source for episode in episodes))

    def starts(counts: list[np.ndarray]) -> np.ndarray:
        ends = np.cumsum(np.concatenate(counts))
        return np.concatenate([[0], ends]).astype(np.int32 if ends[-1] < 2**31 else np.int64)

    arrays = {
        "ids": np.concatenate([part.ids for part in steps]),
        "first_slot": starts([part.num_slots for part in steps]),
        "layout": np.concatenate(layout).astype(np.uint16 if len(layouts) <= 2**16 else np.uint32),
        "first_patch": starts([part.num_patches for part in steps]),
        "patch_index": np.concatenate(index).astype(np.int32),
        "patches": patches,
        "first_timestep": starts([np.array([len(part) for part in steps])]),
        "returns": np.array([episode.total_reward for episode in episodes], np.float32),
        "source": np.array([sources.index(episode.source) for episode in episodes], np.int32),
    }
    return arrays, list(layouts), sources
