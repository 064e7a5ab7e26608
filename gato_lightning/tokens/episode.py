"""An episode: one whole run of an environment, or one example of a data set, as columns over timesteps."""

import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.tokens.any_image import AnyImage


@dataclass(frozen=True)
class Example:
    """A held-out timestep that text is to be written for.

    Args:
        references: the right texts, one or more.
        group: its kind of question, or "".
    """

    references: tuple[str, ...]
    group: str = ""


@dataclass(frozen=True)
class Episode:
    """Columns stacked over T timesteps; `gymnasium.spaces` is the schema.

    Args:
        observations: nested like the observation space; each leaf an array (T, *shape), or a list of T strings or
            images of any size.
        actions: the same, of the action space.
        rewards: (T,) float32, in the environment's own units.
        source: who acted: an expert's name, or the data set's.
        examples: by timestep, those that text is to be written for.
        counted: (T,) bool, True where text and action count in the loss; None: everywhere.
    """

    observations: Any
    actions: Any
    rewards: np.ndarray
    source: str
    examples: Mapping[int, Example] = field(default_factory=dict)
    counted: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rewards)


def is_text(space: Space) -> bool:
    """Whether values of the space are strings: `Text`, and spaces like MiniGrid's missions that are text in all but name."""
    return isinstance(space, spaces.Text) or (isinstance(space.dtype, np.dtype) and space.dtype.kind == "U")


def _nested(space: Space, path: tuple[Any, ...], parts: dict[Any, Any]) -> Any:
    """Nests results as values of the space are nested."""
    return tuple(parts.values()) if isinstance(space, spaces.Tuple) else parts


def map_space(
    function: Callable[..., Any],
    space: Space,
    *values: Any,
    nest: Callable[..., Any] = _nested,
    path: tuple[Any, ...] = (),
) -> Any:
    """Calls a function for each leaf of a nested space, and nests the results as the space is nested.

    Args:
        function: called with the leaf, its path of keys, and the part of each value that lies at that path.
        space: `Dict` and `Tuple` of any depth.
        values: values that are nested as the space is.
        nest: called with each `Dict` or `Tuple`, its path of keys, and the results for its parts by key, the innermost first;
            by default it makes dicts and tuples.
        path: path of the space within a larger one.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        found = {key: map_space(function, part, *(v[key] for v in values), nest=nest, path=(*path, key)) for key, part in parts}
        return nest(space, path, found)
    return function(space, path, *values)


def stack(space: Space, values: Sequence[Any]) -> Any:
    """Stacks T single values of a space into columns, as `Episode` holds them."""

    def column(leaf: Space, path: tuple[Any, ...], *parts: Any) -> Any:
        return list(parts) if is_text(leaf) or isinstance(leaf, AnyImage) else np.asarray(parts)

    return map_space(column, space, *values)


def plain_space(space: Space) -> Space:
    """The space in types of Gymnasium's own, which can be written down: MiniGrid's missions become `Text`."""

    def plain(leaf: Space, path: tuple[Any, ...]) -> Space:
        mission = is_text(leaf) and not isinstance(leaf, spaces.Text)
        return spaces.Text(max_length=1000, charset=string.printable) if mission else leaf

    return map_space(plain, space, nest=space_of_parts)


def space_of_parts(space: Space, path: tuple[Any, ...], parts: dict[Any, Space]) -> Space:
    """A `Dict` or `Tuple` like the given one, of other parts."""
    return spaces.Tuple(parts.values()) if isinstance(space, spaces.Tuple) else spaces.Dict(parts)
