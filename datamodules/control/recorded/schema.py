"""Which columns of recorded episodes a task observes and acts, nested as its spaces are."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from gymnasium import Space, spaces

from datamodules.control.column_ranges import ColumnRange
from datamodules.control.recorded.columns import Sort, as_column, shape_of, sort_of, space_of
from gato_lightning.errors import UserError, unknown
from gato_lightning.tokens.image_files import ImageSettings

Part = Literal["observation", "action"]


@dataclass(frozen=True)
class Column:
    """What is known of a column that is observed or acted.

    Args:
        key: key in the data.
        sort: what its values are.
        shape: shape of a value; () for texts and images.
        is_action: whether it is part of the action.
    """

    key: str
    sort: Sort
    shape: tuple[int, ...]
    is_action: bool


@dataclass(frozen=True)
class Schema:
    """The columns of a task.

    Args:
        trees: for `observation` and `action`, keys nested as the space is: one key, a dictionary of them by name, or a tuple.
        columns: by key, every column in the trees.
        reward: key of the rewards; None: there are none.
        success: key of the success; None: there is none.
        unused: further keys of the data.
    """

    trees: Mapping[Part, Any]
    columns: Mapping[str, Column]
    reward: str | None
    success: str | None
    unused: tuple[str, ...]

    @classmethod
    def of(
        cls,
        found: Mapping[str, Any],
        observations: Any,
        actions: Any,
        reward: str | None,
        success: str | None,
        steps: int,
    ) -> "Schema":
        """Reads off an episode what its columns are.

        Args:
            found: columns of the episode by key, as `as_column` takes them.
            observations: keys that are observed, nested in dictionaries and lists.
            actions: keys of the actions, likewise.
            reward: key of the rewards, or None.
            success: key of the success, or None.
            steps: number of timesteps of the episode.

        Raises:
            UserError: if there is no such key, or an action is an image.
        """
        trees: dict[Part, Any] = {"observation": _nested(observations), "action": _nested(actions)}
        columns: dict[str, Column] = {}
        for part, tree in trees.items():
            for key in keys_of(tree):
                if key not in found:
                    raise unknown("column", key, found)
                values = as_column(whole(found[key], steps), key)
                columns[key] = Column(key, sort_of(values), shape_of(values), part == "action")
                if columns[key].is_action and columns[key].sort is Sort.IMAGE:
                    raise UserError(f"column {key}: an image cannot be an action")
        unused = sorted(found.keys() - {*columns, reward, success})
        return cls(trees, columns, reward, success, tuple(unused))

    @property
    def timed_by(self) -> str:
        """The key of the column whose length is the number of timesteps of an episode."""
        return keys_of(self.trees["action"])[0]

    @property
    def keys(self) -> list[str]:
        """All keys that are read of an episode."""
        return [*self.columns, *self.return_keys]

    @property
    def return_keys(self) -> list[str]:
        """The keys that tell the return of an episode, if there are any."""
        return [key for key in (self.reward, self.success) if key]

    def fill(self, part: Part, value_of: Callable[[str], Any]) -> Any:
        """Returns a value for each key of a part, nested as its space is."""
        return _filled(self.trees[part], value_of)

    def space(self, part: Part, ranges: Mapping[str, ColumnRange], images: ImageSettings) -> Space:
        """Returns the space of a part.

        Args:
            part: which one.
            ranges: by key, the ranges of the columns that need one.
            images: how images are resized.
        """

        def space(tree: Any) -> Space:
            if isinstance(tree, dict):
                return spaces.Dict({name: space(one) for name, one in tree.items()})
            if isinstance(tree, tuple):
                return spaces.Tuple([space(one) for one in tree])
            column = self.columns[tree]
            return space_of(column.sort, column.shape, ranges.get(tree), column.is_action, images)

        return space(self.trees[part])

    def shapes(self, part: Part, images: ImageSettings) -> Any:
        """Returns the shape of each leaf of a part's space, nested as the space is."""

        def shape(key: str) -> tuple[int, ...] | None:
            column = self.columns[key]
            return images.space().shape if column.sort is Sort.IMAGE else column.shape

        return self.fill(part, shape)

    def __str__(self) -> str:
        parts = []
        for part, tree in self.trees.items():
            named = tree.items() if isinstance(tree, dict) else [("", tree)]
            parts.append(f"{part}: " + ", ".join(f"{name}{' = ' if name else ''}{self._described(one)}" for name, one in named))
        parts.append(f"rewards: {self.reward or self.success or 'none'}")
        parts += [f"not used: {', '.join(self.unused)}"] if self.unused else []
        return "; ".join(parts)

    def _described(self, tree: Any) -> str:
        columns = [self.columns[key] for key in keys_of(tree)]
        return ", ".join(f"{one.key} ({one.sort.value}{' ' + str(one.shape) if one.shape else ''})" for one in columns)


def keys_of(tree: Any) -> list[str]:
    """Returns the keys of a nested tree, in its order."""
    if isinstance(tree, str):
        return [tree]
    return [key for one in (tree.values() if isinstance(tree, dict) else tree) for key in keys_of(one)]


def whole(values: Any, steps: int) -> Any:
    """Returns one value for the whole episode as a column of `steps` timesteps, and columns as they are."""
    if is_single(values):
        return [values if isinstance(values, str) else np.asarray(values).item()] * steps
    return values


def is_single(values: Any) -> bool:
    """Returns whether values are a single text or number, and not one for each timestep."""
    return isinstance(values, str | int | float) or (isinstance(values, np.ndarray) and values.ndim == 0)


def check_there(found: Mapping[str, Any], keys: Collection[str]) -> None:
    """Checks that an episode has columns.

    Raises:
        UserError: if one is missing; names it.
    """
    missing = [key for key in keys if key not in found]
    if missing:
        raise UserError(f"column {missing[0]}: missing")


def _nested(keys: Any) -> Any:
    """Keys nested as the space is: dictionaries stay, a list becomes a tuple."""
    if isinstance(keys, Mapping):
        return {name: _nested(one) for name, one in keys.items()}
    return tuple(keys) if isinstance(keys, list | tuple) else keys


def _filled(tree: Any, value_of: Callable[[str], Any]) -> Any:
    if isinstance(tree, dict):
        return {name: _filled(one, value_of) for name, one in tree.items()}
    return tuple(_filled(one, value_of) for one in tree) if isinstance(tree, tuple) else value_of(tree)
