"""Whether an observation lies in its space.

This runs at every step, so it does not call `map_space`: 8 microseconds in place of 13 for a nested observation of four leaves.
"""

from typing import Any

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.tokens.episode import is_text


def fault(space: Space, value: Any, name: str = "observation") -> str:
    """Returns what is wrong with a value, or "" if it lies in its space.

    Real numbers only have to be numbers: environments leave the bounds that they state (LunarLander does), and every real
    number has a token.

    Args:
        space: where the value should lie.
        value: what the environment gave.
        name: how messages call it; keys are added.
    """
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        try:
            found = [fault(part, value[key], f"{name}.{key}") for key, part in parts]
        except (KeyError, IndexError, TypeError):
            return f"{name}: {_short(value)} does not have the parts of {_short(space)}"
        return next(filter(None, found), "")
    if is_text(space):
        return "" if isinstance(value, str) else f"{name}: {_short(value)} is not text"
    array = np.asarray(value)
    if array.shape != (space.shape or ()):
        return f"{name}: shape {array.shape}, expected {space.shape}"
    if isinstance(space, spaces.Box):
        if not np.can_cast(array.dtype, space.dtype, casting="same_kind"):
            return f"{name}: dtype {array.dtype}, expected {space.dtype}"
        return f"{name}: not a number" if array.dtype.kind == "f" and np.isnan(array).any() else ""
    return "" if space.contains(array if array.shape else array[()]) else f"{name}: {_short(value)} is not in {_short(space)}"


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:60]}..."
