"""Columns of recorded episodes: what their values are, and the space that follows from it."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import Space, spaces
from PIL import Image

from datamodules.control.column_ranges import ColumnRange
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.patches import PATCH
from gato_lightning.tokens.vocabulary import NUM_DISCRETE

MAX_TEXT = 10_000  # characters


class Sort(Enum):
    """What the values of a column are."""

    TEXT = "text"
    IMAGE = "image"
    TRUTH = "true or false"
    WHOLE = "whole numbers"
    REAL = "real numbers"


class Frames(ABC):
    """Images of an episode that are decoded when they are looped over."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, rows: slice) -> "Frames": ...

    @abstractmethod
    def __iter__(self) -> Iterator[Image.Image]: ...


def as_column(values: Any, name: str) -> Any:
    """Values over timesteps as a list of texts or images, as `Frames`, or as an array.

    Args:
        values: a list of texts, of numbers nested to any depth, or of images (Pillow's, encoded bytes, files); an array;
            `Frames`.
        name: of the column, for messages.

    Raises:
        UserError: values of different lengths, or of a kind that has no tokens.
    """
    if isinstance(values, Frames):
        return values
    if isinstance(values, list) and values and isinstance(values[0], str | bytes | Path | Image.Image):
        kind = str if isinstance(values[0], str) else (bytes, Path, Image.Image)
        if wrong := [t for t, value in enumerate(values) if not isinstance(value, kind)]:
            found = type(values[wrong[0]]).__name__
            raise UserError(f"column {name}, timestep {wrong[0]}: {found} among {sort_of(values).value}s")
        return values
    try:
        array = np.asarray(values)
    except ValueError:
        raise UserError(f"column {name}: values of different lengths") from None
    if array.dtype.kind == "U":
        return array.tolist()
    if array.dtype.kind not in "biuf":
        raise UserError(f"column {name}: values of {array.dtype}, expected numbers, texts or images")
    return array


def sort_of(column: Any) -> Sort:
    """What the values of a column are, as `as_column` gives it."""
    if isinstance(column, Frames):
        return Sort.IMAGE
    if isinstance(column, list):
        return Sort.TEXT if isinstance(column[0], str) else Sort.IMAGE
    if column.dtype == np.uint8 and _is_image(column.shape[1:]):
        return Sort.IMAGE
    return {"b": Sort.TRUTH, "f": Sort.REAL}.get(column.dtype.kind, Sort.WHOLE)


def _is_image(shape: tuple[int, ...]) -> bool:
    if len(shape) == 3 and shape[2] not in (1, 3, 4):
        shape = (*shape[1:], shape[0])
    return len(shape) in (2, 3) and min(shape[:2]) >= PATCH and (len(shape) == 2 or shape[2] in (1, 3, 4))


def shape_of(column: Any) -> tuple[int, ...]:
    """Shape of a value; () of texts and images."""
    return column.shape[1:] if isinstance(column, np.ndarray) and sort_of(column) is not Sort.IMAGE else ()


def pictures(column: Iterable[Any], settings: ImageSettings, name: str) -> list[np.ndarray]:
    """The images of a column, each as uint8 (H, W, 3), resized.

    Raises:
        UserError: one cannot be decoded; names it.
    """
    return [_picture(one, settings, f"{name}, image {t}") for t, one in enumerate(column)]


def _picture(one: Any, settings: ImageSettings, name: str) -> np.ndarray:
    if isinstance(one, bytes | Path):
        return settings.read(one, name)
    if isinstance(one, np.ndarray):
        if one.ndim == 3 and one.shape[2] not in (1, 3, 4):
            one = np.moveaxis(one, 0, 2)
        one = Image.fromarray(np.ascontiguousarray(one[:, :, 0] if one.ndim == 3 and one.shape[2] == 1 else one))
    if one.width * one.height > settings.max_pixels:
        raise UserError(f"{name}: {one.width} x {one.height} pixels, more than max_pixels ({settings.max_pixels})")
    return settings.convert(one)


def needs_range(sort: Sort, is_action: bool) -> bool:
    """Whether the space of a column depends on the values that it takes in the whole data set."""
    return sort is Sort.WHOLE or (is_action and sort is Sort.REAL)


def space_of(sort: Sort, shape: tuple[int, ...], found: ColumnRange | None, is_action: bool, images: ImageSettings) -> Space:
    """The space of a column's values.

    Whole numbers of at most 1024 different values are discrete. Of more, observations are continuous, and actions a Box of
    whole numbers.
    """
    if sort is Sort.TEXT:
        return spaces.Text(MAX_TEXT)
    if sort is Sort.IMAGE:
        return images.space()
    if sort is Sort.TRUTH:
        return spaces.MultiBinary(shape) if shape else spaces.Discrete(2)
    if sort is Sort.WHOLE:
        assert found is not None
        least, most = min(0, int(found.least)), int(found.most)
        if most - least < NUM_DISCRETE:
            size = most - least + 1
            return (
                spaces.MultiDiscrete(np.full(shape, size), start=np.full(shape, least))
                if shape
                else spaces.Discrete(size, start=least)
            )
        if is_action:
            return spaces.Box(least, most, shape, np.int64)
    if is_action:
        assert found is not None
        return spaces.Box(*found.bounds(shape), shape, np.float32)
    return spaces.Box(-np.inf, np.inf, shape, np.float32)


def check_numbers(column: np.ndarray, shape: tuple[int, ...], name: str, whole: bool = False) -> None:
    """Whether a column holds numbers of a shape.

    Args:
        column: (T, ...) numbers.
        shape: that its values should have.
        name: of the column, for messages.
        whole: whether they should be whole.

    Raises:
        UserError: another shape, NaN, or numbers that are not whole; names column and timestep.
    """
    if column.shape[1:] != shape:
        raise UserError(f"column {name}: values of shape {column.shape[1:]}, expected {shape}")
    if column.dtype.kind == "f" and np.isnan(column).any():
        where = np.argwhere(np.isnan(column.reshape(len(column), -1)))[0]
        raise UserError(f"column {name}, timestep {where[0]}: NaN at element {where[1]}, expected a number")
    if whole and column.dtype.kind == "f" and (column != np.floor(column)).any():
        timestep = np.argwhere(column != np.floor(column))[0][0]
        raise UserError(f"column {name}, timestep {timestep}: {column[timestep]}, expected whole numbers")


def flattened(nested: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """`{"a": {"b": 1}}` as `{"a.b": 1}`."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flattened(value, f"{before}{key}.") if isinstance(value, Mapping) else {f"{before}{key}": value}
    return flat


def first_of(names: Sequence[str], known: Iterable[str]) -> str | None:
    """The first of the names that is known."""
    found = set(known)
    return next((name for name in names if name in found), None)
