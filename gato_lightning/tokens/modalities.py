"""The leaves of a space: one tokenizer per modality, chosen by the space alone.

Box uint8 of shape (H, W), (H, W, 1) or (H, W, 3) is an image, so is AnyImage; any other Box is continuous; Discrete,
MultiDiscrete and MultiBinary are discrete; Text (and string spaces like it) is text; Dict goes in key order, Tuple in its own.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.errors import UserError
from gato_lightning.tokens.action_bins import action_bins
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.episode import is_text, map_space
from gato_lightning.tokens.mu_law import mu_law, to_bins
from gato_lightning.tokens.patches import PATCH, num_patches, to_patches
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import NUM_DISCRETE, NUM_TEXT, Kind, Vocabulary


class Leaf:
    """One leaf of a space.

    Args:
        space: the leaf's space.
        path: the keys that lead to it.
        name: those keys for messages, such as `observation.image`.
        is_action: whether it is part of the action.

    Attributes:
        num_slots: tokens of every value; 0: each has as many as it needs.
        hint: what to do where those are too many.
    """

    observation_kind: ClassVar[Kind]
    action_kind: ClassVar[Kind]
    num_slots: int = 0
    hint = "leave out what is not needed"

    def __init__(self, space: Space, path: tuple[Any, ...], name: str, is_action: bool) -> None:
        self.space, self.path, self.name, self.is_action = space, path, name, is_action
        self.shape: tuple[int, ...] = space.shape or ()

    @property
    def kind(self) -> Kind:
        """What its slots hold."""
        return self.action_kind if self.is_action else self.observation_kind

    def encode(self, values: Any) -> np.ndarray:
        """(T, num_slots) ids of T values; -1 marks a hole (texts only)."""
        raise NotImplementedError

    def _array(self, values: Any) -> np.ndarray:
        """The values of T timesteps as (T, *shape).

        Raises:
            UserError: they have another shape.
        """
        array = np.asarray(values)
        if array.shape[1:] != self.shape:
            raise UserError(f"{self.name}: values of shape {array.shape[1:]}, expected {self.shape}")
        return array

    def id_ranges(self) -> np.ndarray:
        """(num_slots, 2) int64: the first id and the number of ids each slot may take; of a text one row for all its slots."""
        raise NotImplementedError

    def stop(self, ids: Sequence[int], start: int) -> int:
        """Where its ids end that begin at `start` among those of an action."""
        return start + self.num_slots

    def decode(self, ids: Sequence[Sequence[int]]) -> Any:
        """T values from the ids of each, (T, num_slots); of a text as many as it needs, the end-of-text id last."""
        raise NotImplementedError


class TextLeaf(Leaf):
    """Strings; an action ends with the end-of-text id."""

    observation_kind, action_kind = Kind.TEXT, Kind.ACTION_TEXT

    def __init__(self, *where: Any, text: TextTokenizer) -> None:
        super().__init__(*where)
        self._text = text

    def encode(self, values: list[str]) -> np.ndarray:
        end = [self._text.end] if self.is_action else []
        if wrong := [t for t, value in enumerate(values) if not isinstance(value, str)]:
            raise UserError(f"{self.name}, timestep {wrong[0]}: a {type(values[wrong[0]]).__name__}, expected text")
        rows = [self._text.encode(value) + end for value in values]
        lengths = np.array([len(row) for row in rows], np.int64)
        block = np.full((len(rows), int(lengths.max(initial=0))), -1, np.int64)
        block[np.arange(block.shape[1]) < lengths[:, None]] = np.concatenate([np.empty(0, np.int64), *rows])
        return block

    def id_ranges(self) -> np.ndarray:
        return np.array([[0, NUM_TEXT]])

    def stop(self, ids: Sequence[int], start: int) -> int:
        return list(ids).index(self._text.end, start) + 1

    def decode(self, ids: Sequence[Sequence[int]]) -> list[str]:
        return [nearest_text(self.space, self._text.decode(list(row[:-1]))) for row in ids]


def nearest_text(space: Space, text: str) -> str:
    """A text as a space has it: without the characters that the space lacks, cut where it is too long; where it is too short,
    filled up with the first of its characters in their order."""
    if not isinstance(space, spaces.Text):
        return text
    known = "".join(character for character in text if character in space.character_set)
    return known[: space.max_length].ljust(space.min_length, space.characters[0])


class ImageLeaf(Leaf):
    """Images of one size; sides that are no multiple of 16 are padded with black at the bottom and the right."""

    observation_kind = Kind.PATCH
    hint = "make the image smaller"

    def __init__(self, *where: Any, vocabulary: Vocabulary) -> None:
        super().__init__(*where)
        height, width = self.shape[:2]
        if self.is_action:
            raise UserError(f"{self.name}: an image cannot be an action")
        if min(height, width) < PATCH:
            raise UserError(f"{self.name}: an image of {height}x{width} is smaller than a {PATCH}x{PATCH} patch")
        self.grid = (-(-height // PATCH), -(-width // PATCH))
        self._padding = [(0, 0), (0, -height % PATCH), (0, -width % PATCH), (0, 0)]
        self.num_slots = self.grid[0] * self.grid[1]
        self._placeholder = vocabulary.padding

    def encode(self, values: np.ndarray) -> np.ndarray:
        values = self._array(values)
        if values.dtype != np.uint8:
            raise UserError(f"{self.name}: images of {values.dtype}, expected uint8")
        return np.full((len(values), self.num_slots), self._placeholder, np.int64)

    def grids(self, values: np.ndarray) -> np.ndarray:
        """(T, 2) int64 rows and columns of patches of each image."""
        return np.tile(np.array(self.grid), (len(values), 1))

    def patches(self, values: np.ndarray) -> np.ndarray:
        """(P, 16, 16, 3) uint8 patches of T images, image by image."""
        images = values.reshape(len(values), *self.shape[:2], -1)
        if images.shape[-1] == 1:
            images = np.repeat(images, 3, axis=-1)
        if any(after for _, after in self._padding):
            images = np.pad(images, self._padding)
        return to_patches(images).reshape(-1, PATCH, PATCH, 3)


class AnyImageLeaf(Leaf):
    """Images of any size, or none; sides are padded as those of an `ImageLeaf`."""

    observation_kind = Kind.PATCH

    def __init__(self, *where: Any, vocabulary: Vocabulary) -> None:
        super().__init__(*where)
        if self.is_action:
            raise UserError(f"{self.name}: an image cannot be an action")
        self._placeholder = vocabulary.padding

    def encode(self, values: list[np.ndarray]) -> np.ndarray:
        if wrong := [t for t, image in enumerate(values) if image not in self.space]:
            image = np.asarray(values[wrong[0]])
            raise UserError(
                f"{self.name}, timestep {wrong[0]}: {image.dtype} of shape {image.shape}, expected uint8 of shape (H, W, 3)"
            )
        counts = np.array([num_patches(image) for image in values], np.int64)
        held = np.arange(int(counts.max(initial=0))) < counts[:, None]
        return np.where(held, self._placeholder, -1).astype(np.int32)

    def grids(self, values: list[np.ndarray]) -> np.ndarray:
        """(T, 2) int64 rows and columns of patches of each image."""
        return -(-np.array([image.shape[:2] for image in values], np.int64).reshape(-1, 2) // PATCH)

    def patches(self, values: list[np.ndarray]) -> np.ndarray:
        """(P, 16, 16, 3) uint8 patches of T images, image by image."""
        padded = (np.pad(image, [(0, -image.shape[0] % PATCH), (0, -image.shape[1] % PATCH), (0, 0)]) for image in values)
        return np.concatenate([np.empty((0, PATCH, PATCH, 3), np.uint8), *(to_patches(image[None])[0] for image in padded)])


class DiscreteLeaf(Leaf):
    """Integers, row-major, counted from the space's start."""

    observation_kind, action_kind = Kind.DISCRETE, Kind.ACTION_DISCRETE

    def __init__(self, *where: Any, vocabulary: Vocabulary) -> None:
        super().__init__(*where)
        sizes = getattr(self.space, "nvec", getattr(self.space, "n", 2))
        if isinstance(self.space, spaces.MultiBinary):
            sizes = 2
        self._sizes = np.broadcast_to(np.asarray(sizes, np.int64), self.shape).ravel()
        self._start = np.broadcast_to(np.asarray(getattr(self.space, "start", 0), np.int64), self.shape).ravel()
        self.num_slots = self._sizes.size
        if self._sizes.max(initial=0) > NUM_DISCRETE:
            raise UserError(f"{self.name}: {self.space} has values above {NUM_DISCRETE - 1}, which have no token")
        self._first = vocabulary.first_discrete

    def encode(self, values: np.ndarray) -> np.ndarray:
        values = self._array(values).reshape(len(values), self.num_slots)
        inside = (values >= self._start) & (values < self._start + self._sizes) & (values == np.floor(values))
        if not inside.all():
            t, i = np.argwhere(~inside)[0]
            raise UserError(f"{self.name}, timestep {t}: value {values[t, i]} is not in {self.space}")
        steps = values.astype(np.int64) - self._start
        return steps + self._first

    def id_ranges(self) -> np.ndarray:
        return np.stack([np.full(self.num_slots, self._first), self._sizes], axis=1)

    def decode(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        values = np.asarray(ids, np.int64) - self._first + self._start
        return values.reshape(len(ids), *self.shape).astype(self.space.dtype)


class ContinuousLeaf(Leaf):
    """Numbers, row-major. Observations go through the mu-law, +-inf to its ends; actions into bins between their bounds, and
    those outside are clipped to them, see `action_bins.py`."""

    observation_kind, action_kind = Kind.CONTINUOUS, Kind.ACTION_CONTINUOUS

    def __init__(self, *where: Any, vocabulary: Vocabulary) -> None:
        super().__init__(*where)
        self.num_slots = int(np.prod(self.shape))
        self._first = vocabulary.first_bin
        assert isinstance(self.space, spaces.Box)
        self._bins, self._whole = action_bins(self.space), self.space.dtype.kind != "f"
        if len(self.shape) in (2, 3):
            self.hint = "if it is an image, make it uint8 of shape (H, W), (H, W, 1) or (H, W, 3)"

    def encode(self, values: np.ndarray) -> np.ndarray:
        values = self._array(values).reshape(len(values), self.num_slots)
        if np.isnan(values).any():
            t, i = np.argwhere(np.isnan(values))[0]
            raise UserError(f"{self.name}, timestep {t}: NaN at element {i}, expected a number")
        if self.is_action:
            if self._whole and values.dtype.kind == "f":
                raise UserError(f"{self.name}: values of {values.dtype}, expected whole numbers as in {self.space}")
            return self._first + self._bins.encode(values)
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and so in the outer bins
            return self._first + to_bins(mu_law(values.astype(np.float32, copy=False)))

    def id_ranges(self) -> np.ndarray:
        return np.stack([np.full(self.num_slots, self._first), self._bins.counts], axis=1)

    def decode(self, ids: Sequence[Sequence[int]]) -> np.ndarray:
        return self._bins.decode(np.asarray(ids, np.int64) - self._first).reshape(len(ids), *self.shape)


_ORDER = (TextLeaf, (ImageLeaf, AnyImageLeaf), (DiscreteLeaf, ContinuousLeaf))  # Gato, section 2.1: text, images, tensors


def leaves(space: Space, name: str, vocabulary: Vocabulary, text: TextTokenizer, is_action: bool) -> list[Leaf]:
    """The leaves of a space in the order of their tokens: text, images, tensors; within each, keys in lexicographic order.

    Raises:
        UserError: a space of a sort that has no tokens, named by its key.
    """

    def called(path: tuple[Any, ...]) -> str:
        return ".".join(map(str, (name, *path)))

    def find(part: Space, path: tuple[Any, ...]) -> list[Leaf]:
        return [_leaf((part, path, called(path), is_action), vocabulary, text)]

    def join(part: Space, path: tuple[Any, ...], found: dict[Any, list[Leaf]]) -> list[Leaf]:
        try:
            return [leaf for key in sorted(found) for leaf in found[key]]
        except TypeError:
            raise UserError(f"{called(path)}: keys {list(found)} have no order among them, expected strings") from None

    found = map_space(find, space, nest=join)
    return [leaf for sort in _ORDER for leaf in found if isinstance(leaf, sort)]


def _leaf(where: tuple[Space, tuple[Any, ...], str, bool], vocabulary: Vocabulary, text: TextTokenizer) -> Leaf:
    space, _, name, _ = where
    if 0 in (space.shape or ()):
        raise UserError(f"{name}: a {type(space).__name__} of shape {space.shape} holds no values; leave it out")
    if is_text(space):
        return TextLeaf(*where, text=text)
    if isinstance(space, AnyImage):
        return AnyImageLeaf(*where, vocabulary=vocabulary)
    if isinstance(space, spaces.Box):
        image = space.dtype == np.uint8 and (len(space.shape) == 2 or (len(space.shape) == 3 and space.shape[2] in (1, 3)))
        return (ImageLeaf if image else ContinuousLeaf)(*where, vocabulary=vocabulary)
    if isinstance(space, spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        return DiscreteLeaf(*where, vocabulary=vocabulary)
    raise UserError(f"{name}: a space of type {type(space).__name__} cannot be tokenised")
