"""The values that a column of a data set takes, which give bounds to actions that have none.

Real actions are cut into 1024 bins between their bounds (`gato_lightning/tokens/action_bins.py`). Where a data set states no
bounds, they are taken from its actions: a low and a high quantile, each moved outwards by a share of their distance, so that a
few outliers do not widen the bins. Acting gives back values between these bounds, in the data set's units.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.common.outputs import whole_file
from gato_lightning.common.settings import FiniteFloat, NonNegativeFloat, Range, check_settings
from gato_lightning.errors import UserError
from gato_lightning.tokens.action_bins import missing_bounds
from gato_lightning.tokens.episode import map_space, space_of_parts


@dataclass(frozen=True)
class ActionScaling:
    """How actions without bounds get bounds.

    Args:
        quantile: share of the values of an element that lie below its low quantile, and above its high one; 0 or more and
            below 0.5.
        margin: share of the distance between both by which each bound lies outside its quantile; 0 or more.
        low: lower bounds of all elements, instead of measured ones.
        high: upper bounds of all elements.
    """

    quantile: Annotated[float, Range(least=0, below=0.5)] = 0.01
    margin: NonNegativeFloat = 0.1
    low: list[FiniteFloat] | None = None
    high: list[FiniteFloat] | None = None

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
        if (self.low is None) != (self.high is None):
            raise UserError("scaling: expected both low and high, or neither")
        pairs = list(zip_longest(self.low or [], self.high or []))
        if any(low is None or high is None or low > high for low, high in pairs):
            raise UserError(f"scaling: low is {self.low} and high {self.high}, expected a high for each low and not below it")


@dataclass(frozen=True)
class ColumnRange:
    """What a column holds.

    Args:
        least, most: its extremes.
        low, high: bounds of each element, row-major.
        clipped: share of all values outside the bounds.
    """

    least: float
    most: float
    low: list[float]
    high: list[float]
    clipped: float

    def bounds(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper bounds of a value, float32."""
        low, high = (np.array(bound, np.float32).reshape(shape) for bound in (self.low, self.high))
        return low, high


def measure(values: np.ndarray, scaling: ActionScaling, name: str) -> ColumnRange:
    """Measures a column.

    Args:
        values: (N, *shape) numbers; those that are not finite are passed over.
        scaling: how the bounds are chosen.
        name: of the column, for messages.

    Raises:
        UserError: an element without a finite value, or bounds of another number of elements.
    """
    flat = np.asarray(values, np.float64).reshape(len(values), -1)
    finite = np.isfinite(flat)
    if not len(flat) or not finite.any(axis=0).all():
        raise UserError(f"{name}: no finite values, from which its range could be told")
    flat = np.where(finite, flat, np.nan)
    if scaling.low is not None:
        if len(scaling.low) != flat.shape[1]:
            raise UserError(f"{name}: {flat.shape[1]} elements, but scaling.low has {len(scaling.low)}")
        low, high = np.array(scaling.low), np.array(scaling.high)
    else:
        low, high = np.nanquantile(flat, [scaling.quantile, 1.0 - scaling.quantile], axis=0)
        # An element that is nearly always the same, as a gripper may be: its rare values are no outliers.
        same = low == high
        low, high = np.where(same, np.nanmin(flat, axis=0), low), np.where(same, np.nanmax(flat, axis=0), high)
        margin = scaling.margin * (high - low)
        low, high = low - margin, high + margin
    outside = (flat < low) | (flat > high)
    return ColumnRange(
        float(np.nanmin(flat)), float(np.nanmax(flat)), low.tolist(), high.tolist(), float(outside.sum() / finite.sum())
    )


def lacks_bounds(space: Space) -> bool:
    """Whether some real element of a space has no lower or no upper bound."""
    return bool(_unbounded(space))


def _unbounded(space: Space) -> dict[tuple[Any, ...], spaces.Box]:
    found: dict[tuple[Any, ...], spaces.Box] = {}

    def look(leaf: Space, path: tuple[Any, ...]) -> None:
        if isinstance(leaf, spaces.Box) and leaf.dtype.kind == "f" and any(one.any() for one in missing_bounds(leaf)):
            found[path] = leaf

    map_space(look, space)
    return found


def measure_space(space: Space, columns: Sequence[Any], scaling: ActionScaling, name: str) -> dict[str, ColumnRange]:
    """By the path of each unbounded leaf, its range.

    Args:
        space: of one value.
        columns: of each episode, nested like the space.
        scaling: how the bounds are chosen.
        name: of the space, for messages.
    """

    def part(column: Any, path: tuple[Any, ...]) -> Any:
        for key in path:
            column = column[key]
        return column

    return {
        dotted(name, path): measure(np.concatenate([part(column, path) for column in columns]), scaling, dotted(name, path))
        for path in _unbounded(space)
    }


def with_bounds(space: Space, ranges: Mapping[str, ColumnRange], name: str) -> Space:
    """The space with bounds where it lacks them; those that it has, stay."""

    def bounded(leaf: Space, path: tuple[Any, ...]) -> Space:
        found = ranges.get(dotted(name, path))
        if found is None:
            return leaf
        assert isinstance(leaf, spaces.Box)
        (below, above), (low, high) = missing_bounds(leaf), found.bounds(leaf.shape)
        low = np.where(below.reshape(leaf.shape), low, leaf.low)
        high = np.where(above.reshape(leaf.shape), high, leaf.high)
        return spaces.Box(low.astype(leaf.dtype), high.astype(leaf.dtype), leaf.shape, leaf.dtype)

    return map_space(bounded, space, nest=space_of_parts)


def dotted(name: str, path: Sequence[Any]) -> str:
    """`action.arm.0`: a leaf's path in words."""
    return ".".join(map(str, (name, *path)))


def remembered(path: Path, find: Callable[[], dict[str, ColumnRange]]) -> dict[str, ColumnRange]:
    """The ranges in a file, which is written from what `find` gives where it is not there."""
    try:
        return {name: ColumnRange(**one) for name, one in json.loads(path.read_text()).items()}
    except (OSError, ValueError, TypeError):
        found = find()
    if not found:
        return found
    with whole_file(path) as partial:
        partial.write_text(json.dumps({name: asdict(one) for name, one in found.items()}))
    return found
