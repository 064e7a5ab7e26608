"""A policy's action in the type of its action space, whatever the policy returns it as."""

from typing import Any

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import is_text, map_space


def as_action(space: Space, value: Any) -> Any:
    """Returns an action as its space has it.

    Args:
        space: the action space.
        value: an action as policies return it: numbers, arrays or tensors of any type, an array with one number for a number or
            the other way round; or a pair of an action and the policy's state, as Stable-Baselines3's `predict` returns it.

    Returns:
        A number of NumPy for `Discrete`, `str` for text, an array of the space's shape and type for the others; nested like the
        space. Whether real numbers lie within the bounds of a `Box` is not checked.

    Raises:
        UserError: the value is no action of the space; names both.
    """
    if isinstance(value, tuple) and len(value) == 2 and not isinstance(space, spaces.Tuple):
        value = value[0]
    try:
        return map_space(lambda leaf, path, part: _leaf(leaf, part), space, value)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        given = " ".join(f"{value!r}".split())
        short = given if len(given) <= 80 else f"{given[:80]}..."
        raise UserError(f"the policy's action {short} ({type(value).__name__}) is no action of {space}") from error


def _leaf(space: Space, value: Any) -> Any:
    """An action of a space that has no parts.

    Raises:
        ValueError, TypeError: it is none.
    """
    if is_text(space):
        if not isinstance(value, str):
            raise TypeError
        return str(value)
    given = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    shape = space.shape or ()
    if given.dtype.kind not in "biuf" or [n for n in given.shape if n != 1] != [n for n in shape if n != 1]:
        raise ValueError
    action = given.reshape(shape).astype(space.dtype)
    if space.dtype.kind != "f" and not np.array_equal(action, given.reshape(shape)):
        raise ValueError  # not whole numbers
    return action if shape else action[()]
