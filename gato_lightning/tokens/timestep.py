"""Timesteps as tokens: one vectorised pass over the columns of an episode, for training and for acting alike.

One timestep, for the space Dict(camera=image, goal=text, joints=Box(2)) and the action space Box(2) (Gato, section 2.1):

    | goal: text pieces | camera: patches, raster order | joints: 2 bins | '|' | action: 2 bins |
      text, then images, then tensors; keys in lexicographic order          ^ separator

Timesteps follow each other in time order. A text action ends with the end-of-text id; a text observation does not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import Space

from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import Episode, map_space, stack
from gato_lightning.tokens.lengths import OBSERVATION_TOO_LONG, TIMESTEP_TOO_LONG
from gato_lightning.tokens.modalities import AnyImageLeaf, ImageLeaf, Leaf, TextLeaf, leaves
from gato_lightning.tokens.patches import PATCH, patch_intervals
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import NUM_LOCAL, Kind, Vocabulary


@dataclass(frozen=True)
class Layout:
    """What the slots of a timestep hold; shared by all timesteps whose texts are equally long and images equally large.

    Args:
        kinds: a `Kind` per slot.
        grids: (rows, columns) of patches of each image, in order.
        counted: whether its text and action count in the loss.
    """

    kinds: tuple[int, ...]
    grids: tuple[tuple[int, int], ...] = ()
    counted: bool = True

    @cached_property
    def intervals(self) -> np.ndarray:
        """(num_patches, 4) int64, see `patch_intervals`."""
        held = [grid for grid in self.grids if grid != (0, 0)]
        return np.concatenate([np.empty((0, 4), np.int64), *(patch_intervals(*grid) for grid in held)])


@dataclass(frozen=True)
class TokenTimesteps:
    """T timesteps as tokens, end to end.

    Args:
        ids: (S,) uint16 token ids; patch slots hold the padding id.
        layouts: the distinct layouts.
        layout: (T,) int64 index into `layouts`.
        patches: (U, 16, 16, 3) uint8, the distinct patches.
        patch_index: (P,) int64, the row of `patches` in each patch slot, in slot order.
    """

    ids: np.ndarray
    layouts: tuple[Layout, ...]
    layout: np.ndarray
    patches: np.ndarray
    patch_index: np.ndarray

    def __len__(self) -> int:
        return len(self.layout)

    @cached_property
    def num_slots(self) -> np.ndarray:
        """(T,) int64 slots of each timestep."""
        return np.array([len(layout.kinds) for layout in self.layouts], np.int64)[self.layout]

    @cached_property
    def num_patches(self) -> np.ndarray:
        """(T,) int64 patch slots of each timestep."""
        return np.array([len(layout.intervals) for layout in self.layouts], np.int64)[self.layout]


def distinct(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keeps each distinct patch once.

    Args:
        patches: (P, 16, 16, 3) uint8.

    Returns:
        (U, 16, 16, 3) uint8 distinct patches and (P,) int64, the row of each patch among them.
    """
    rows = np.ascontiguousarray(patches).reshape(len(patches), PATCH * PATCH * 3)
    _, first, index = np.unique(rows.view(f"V{rows.shape[1]}").ravel(), return_index=True, return_inverse=True)
    return patches[first], index.reshape(-1)


class TimestepTokenizer:
    """Turns timesteps of a space into tokens and action tokens back into actions.

    Args:
        observation_space: any nesting of Box, Discrete, MultiDiscrete, MultiBinary, Text, Dict and Tuple.
        action_space: the same, without images.
        vocabulary: the id ranges.
        text: the text tokenizer.

    Raises:
        UserError: a space that cannot be tokenised, named by its key.
    """

    def __init__(self, observation_space: Space, action_space: Space, vocabulary: Vocabulary, text: TextTokenizer) -> None:
        self.observation_space, self.action_space = observation_space, action_space
        self.vocabulary, self.text = vocabulary, text
        self._observation = leaves(observation_space, "observation", vocabulary, text, is_action=False)
        self._action = leaves(action_space, "action", vocabulary, text, is_action=True)
        if not self._action:
            raise UserError(f"action: the space {action_space} holds nothing to predict")
        _check_fewest(self._observation, 0, NUM_LOCAL, OBSERVATION_TOO_LONG)

    def check_context(self, context_length: int) -> None:
        """Whether a timestep of these spaces can fit into the context.

        Raises:
            UserError: it cannot; names the part with the most tokens.
        """
        _check_fewest([*self._observation, *self._action], 1, context_length, TIMESTEP_TOO_LONG)

    @property
    def acts_in_text(self) -> bool:
        """Whether an action is one text, of no fixed length."""
        return len(self._action) == 1 and isinstance(self._action[0], TextLeaf)

    @cached_property
    def action_ids(self) -> np.ndarray:
        """(A, 2) int64: first id and number of ids that each action token may take; of a text one row for all its tokens."""
        return np.concatenate([leaf.id_ranges() for leaf in self._action])

    @cached_property
    def action_kinds(self) -> list[int]:
        """The `Kind` of each of the A action tokens; of a text once for all its tokens."""
        return [int(leaf.kind) for leaf in self._action for _ in range(len(leaf.id_ranges()))]

    def encode_episode(self, episode: Episode) -> TokenTimesteps:
        """Tokens of a whole episode.

        Raises:
            UserError: a value that cannot be tokenised; names key and timestep. Or there are no timesteps.
        """
        if not len(episode):
            raise UserError("an episode without timesteps, expected at least one")
        observed = _columns(self._observation, episode.observations, len(episode))
        return self._encode(observed, _columns(self._action, episode.actions, len(episode)), len(episode), episode.counted)

    def encode_observations(self, observations: Any, count: int) -> TokenTimesteps:
        """Tokens of `count` stacked observations, each up to and with its separator, where an action is to follow."""
        return self._encode(_columns(self._observation, observations, count), [], count)

    def encode_actions(self, actions: Sequence[Any]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Token ids of N actions and the `Kind` of each, as they follow the separators of their timesteps."""
        columns = _columns(self._action, stack(self.action_space, actions), len(actions))
        blocks = [leaf.encode(column) for leaf, column in columns]
        kinds = np.repeat([int(leaf.kind) for leaf, _ in columns], [block.shape[1] for block in blocks])
        return [(row[row >= 0], kinds[row >= 0]) for row in np.concatenate(blocks, axis=1)]

    def decode_actions(self, ids: Sequence[Sequence[int]]) -> list[Any]:
        """Actions of N timesteps.

        Args:
            ids: token ids of each, within `action_ids`; those of a text end with the end-of-text id.

        Returns:
            N values of the action space; of a text the nearest one, see `nearest_text`.
        """
        pieces: list[list[Sequence[int]]] = [[] for _ in self._action]
        for row in ids:
            start = 0
            for leaf, piece in zip(self._action, pieces, strict=True):
                stop = leaf.stop(row, start)
                piece.append(row[start:stop])
                start = stop
        by_path = {leaf.path: leaf.decode(piece) for leaf, piece in zip(self._action, pieces, strict=True)}

        def value(n: int) -> Any:
            return map_space(lambda leaf, path: by_path[path][n], self.action_space)

        return [value(n) for n in range(len(ids))]

    def _encode(
        self, observed: list[tuple[Leaf, Any]], acted: list[tuple[Leaf, Any]], count: int, counted: np.ndarray | None = None
    ) -> TokenTimesteps:
        """Every leaf gives a (T, n) block of ids, -1 where a shorter text leaves holes; side by side they are the timesteps."""
        blocks = [leaf.encode(column) for leaf, column in observed]
        blocks.append(np.full((count, 1), self.vocabulary.separator, np.int32))
        blocks += [leaf.encode(column) for leaf, column in acted]
        kinds = [*(leaf.kind for leaf, _ in observed), Kind.SEPARATOR, *(leaf.kind for leaf, _ in acted)]
        ids = np.concatenate(blocks, axis=1)  # (T, W)
        filled = ids >= 0
        images = [(leaf, column) for leaf, column in observed if isinstance(leaf, ImageLeaf | AnyImageLeaf)]
        sizes = [leaf.grids(column) for leaf, column in images]
        grids = np.array(sizes, np.int64).reshape(len(images), count, 2).swapaxes(0, 1)  # (T, images, 2)
        counted = np.ones(count, bool) if counted is None else counted
        layouts, layout = _layouts(filled, np.repeat(kinds, [block.shape[1] for block in blocks]), grids, counted)
        patches = _by_timestep([leaf.patches(column) for leaf, column in images], grids.prod(axis=-1))
        ids = ids.ravel() if filled.all() else ids[filled]
        return TokenTimesteps(ids.astype(np.uint16), layouts, layout, *distinct(patches))


def _layouts(
    filled: np.ndarray, kinds: np.ndarray, grids: np.ndarray, counted: np.ndarray
) -> tuple[tuple[Layout, ...], np.ndarray]:
    """The distinct layouts of T timesteps and the index of each one's.

    Args:
        filled: (T, W) bool, False in the holes.
        kinds: (W,) int64.
        grids: (T, number of images, 2) int64.
        counted: (T,) bool.
    """
    if filled.all() and counted.all() and (grids == grids[:1]).all():
        first, index = np.zeros(min(1, len(filled)), np.int64), np.zeros(len(filled), np.int64)
    else:
        rows = np.concatenate([filled, counted[:, None], grids.reshape(len(filled), -1)], axis=1, dtype=np.int64)
        _, first, index = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    made = (Layout(tuple(kinds[filled[t]].tolist()), tuple(map(tuple, grids[t].tolist())), bool(counted[t])) for t in first)
    return tuple(made), index.reshape(-1)


def _by_timestep(patches: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """The patches of several images a timestep, (P, 16, 16, 3), timestep by timestep.

    Args:
        patches: those of each image, over all timesteps.
        counts: (T, number of images) int64.
    """
    if len(patches) == 1:
        return patches[0]
    timestep = [np.repeat(np.arange(len(counts)), column) for column in counts.T]
    order = np.argsort(np.concatenate([np.empty(0, np.int64), *timestep]), kind="stable")
    return np.concatenate([np.empty((0, PATCH, PATCH, 3), np.uint8), *patches])[order]


def _check_fewest(parts: Sequence[Leaf], others: int, most: int, message: str) -> None:
    """Whether the parts, with empty texts and without images of any size, have few enough tokens.

    Raises:
        UserError: they have not; names the part with the most of them.
    """
    total = sum(leaf.num_slots for leaf in parts) + others
    if total > most:
        largest = max(parts, key=lambda leaf: leaf.num_slots)
        what = f"a {type(largest.space).__name__} of {largest.space.dtype} and shape {largest.shape}"
        raise UserError(f"{message.format(total, most)}: {largest.name}, {what}, takes {largest.num_slots}; {largest.hint}")


def _columns(parts: Sequence[Leaf], values: Any, count: int) -> list[tuple[Leaf, Any]]:
    """Pairs every leaf with its column of so many timesteps, found by the leaf's path.

    Raises:
        UserError: there is none, or it is of another length.
    """
    columns = []
    for leaf in parts:
        column = values
        for key in leaf.path:
            try:
                column = column[key]
            except (KeyError, IndexError, TypeError):
                raise UserError(f"{leaf.name}: missing from the values") from None
        if len(column) != count:
            raise UserError(f"{leaf.name}: {len(column)} values, expected one for each of {count} timesteps")
        columns.append((leaf, column))
    return columns
