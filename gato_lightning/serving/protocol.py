"""What travels between robots and the server: openpi's protocol, msgpack with NumPy arrays in it.

An array is {b"__ndarray__": True, b"data": its bytes, b"dtype": "<f4", b"shape": (4,)}, a NumPy scalar {b"__npgeneric__": True,
b"data": 1.5, b"dtype": "<f4"}. Nothing that is read can run code, and everything is checked against the spaces of the task.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import msgpack
import numpy as np
from gymnasium import Space, spaces
from minari.serialization import deserialize_space

from gato_lightning.common.settings import PositiveInt, Seed, check_settings
from gato_lightning.errors import UserError, said, unknown
from gato_lightning.tokens.episode import Episode, is_text

OBSERVATION = "observation"  # the key of an observation that is no dictionary
RESET = "reset"  # the only key of a message that begins an episode

_NO_ARRAYS = "VOc"  # kinds of dtypes that do not travel: records, objects, complex numbers
_MOST_ITEMS = 1 << 16  # in a list or dictionary of a message
_MOST_CHARACTERS = 1 << 16  # of a text; more never fit into a context
_MOST_VALUES = 1 << 20  # in one value of a space that a client describes


def pack(value: Any) -> bytes:
    """Writes a message.

    Args:
        value: dictionaries, lists, texts, numbers, and NumPy arrays and scalars.

    Raises:
        ValueError: an array of objects, records or complex numbers.
    """
    return msgpack.packb(value, default=_pack_array)


def unpack(message: bytes) -> dict[Any, Any]:
    """Reads a message; arrays in it are read-only.

    Raises:
        UserError: it is no msgpack dictionary.
    """
    try:
        value = msgpack.unpackb(message, object_hook=_unpack_array, max_array_len=_MOST_ITEMS, max_map_len=_MOST_ITEMS)
    except Exception as error:  # whatever arbitrary bytes lead to
        raise UserError(f"expected a msgpack dictionary; the message cannot be read: {said(error)[:200]}") from error
    if not isinstance(value, dict):
        raise UserError(f"expected a msgpack dictionary, found a {type(value).__name__}")
    return value


def read_observation(space: Space, message: Mapping[Any, Any]) -> Any:
    """A value of an observation space out of a message.

    Args:
        space: of a task. The keys of a `Dict` are those of the message; a value of any other space stands under `observation`.
        message: as `unpack` gives it.

    Raises:
        UserError: it is no such value; names the key.
    """
    if isinstance(space, spaces.Dict):
        return _read(space, message, "observation")
    _check_keys(message, [OBSERVATION], "message")
    return _read(space, message[OBSERVATION], "observation")


def action_chunk(action: Any) -> Any:
    """An action as `actions` of an answer: each array with a first axis of one timestep, (1, *shape); a text in a list."""
    if isinstance(action, Mapping):
        return {key: action_chunk(part) for key, part in action.items()}
    if isinstance(action, tuple):
        return [action_chunk(part) for part in action]
    return [action] if isinstance(action, str) else np.asarray(action)[None]


@dataclass(frozen=True)
class Reset:
    """The request for a new episode.

    Args:
        task: which task; None: the same as before. With spaces, a name for messages.
        seed: of the prompt and the actions, 0 to 2**32 - 1; None: the number of the connection's episode, from 0.
        demonstrations: of the task, used as prompts in place of the model's: dictionaries of `observations` and `actions`,
            columns over T timesteps as of `Episode`, and optionally `rewards`, (T,).
        observation_space: of a task that the model does not know, as JSON (`minari.serialization.serialize_space`).
        action_space: the same, of its actions.
        timesteps: most timesteps that the agent sees, with demonstrations; None: as many as fit.
    """

    task: str | None = None
    seed: Seed | None = None
    demonstrations: Sequence[Any] = ()
    observation_space: str | None = None
    action_space: str | None = None
    timesteps: PositiveInt | None = None

    @classmethod
    def read(cls, value: Any) -> Self:
        """Reads what stands under `reset` in a message.

        Raises:
            UserError: an unknown key, or a value of another kind.
        """
        if not isinstance(value, dict):
            raise UserError(f"{RESET}: a {type(value).__name__}, expected a dictionary")
        names = [one.name for one in fields(cls)]
        if wrong := [key for key in value if key not in names]:
            raise unknown(f"key of {RESET}", str(wrong[0])[:100], names)
        check_settings(value, cls)
        for name in ("task", "observation_space", "action_space"):
            if not isinstance(value.get(name), str | None):
                raise UserError(f"{RESET}.{name}: a {type(value[name]).__name__}, expected text")
        if not isinstance(value.get("demonstrations", []), list):
            raise UserError(f"{RESET}.demonstrations: a {type(value['demonstrations']).__name__}, expected a list")
        return cls(**value)


def read_space(text: str, name: str) -> Space:
    """Reads a space that a client describes.

    Raises:
        UserError: no such description, or a space of very many values.
    """
    try:
        described = json.loads(text)
        _check_size(described, name)
        return deserialize_space(described)
    except UserError:
        raise
    except Exception as error:  # Gymnasium's and Minari's own, of many kinds
        raise UserError(f"{name}: expected a space as minari.serialization writes it ({said(error)[:200]})") from error


def read_demonstration(observed: Space, acted: Space, value: Any, number: int) -> Episode:
    """Reads a demonstration out of `Reset.demonstrations`.

    Raises:
        UserError: it does not fit the spaces; names its number and the key.
    """
    name = f"demonstrations[{number}]"
    if not isinstance(value, dict):
        raise UserError(f"{name}: a {type(value).__name__}, expected a dictionary")
    _check_keys({"rewards": None, **value}, ["observations", "actions", "rewards"], name)
    observations = _read(observed, value["observations"], f"{name}.observations", stacked=True)
    actions = _read(acted, value["actions"], f"{name}.actions", stacked=True)
    steps = _length(actions)
    rewards = _array(spaces.Box(-np.inf, np.inf, (steps,)), value.get("rewards", np.zeros(steps)), f"{name}.rewards")
    return Episode(observations, actions, rewards.astype(np.float32), "client")


def _pack_array(value: Any) -> Any:
    if not isinstance(value, np.ndarray | np.generic):
        return value
    if value.dtype.kind in _NO_ARRAYS:
        raise ValueError(f"Unsupported dtype: {value.dtype}")
    if isinstance(value, np.ndarray):
        return {b"__ndarray__": True, b"data": value.tobytes(), b"dtype": value.dtype.str, b"shape": value.shape}
    return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}


def _unpack_array(value: dict[Any, Any]) -> Any:
    if b"__ndarray__" not in value and b"__npgeneric__" not in value:
        return value
    dtype = np.dtype(str(value[b"dtype"]))
    if dtype.kind in _NO_ARRAYS:
        raise ValueError(f"an array of {dtype}")
    if b"__npgeneric__" in value:
        return dtype.type(value[b"data"])
    if min(value[b"shape"], default=0) < 0:  # NumPy takes -1 for a length of its own choice
        raise ValueError(f"an array of shape {value[b'shape']}")
    array: np.ndarray = np.ndarray(buffer=value[b"data"], dtype=dtype, shape=value[b"shape"])
    if array.nbytes != len(value[b"data"]):
        raise ValueError(f"{len(value[b'data'])} bytes for an array of {dtype} and shape {array.shape}")
    return array


def _read(space: Space, value: Any, name: str, stacked: bool = False) -> Any:
    """A value of a space, or with `stacked` its columns over timesteps, in types that the tokenizer takes."""
    if isinstance(space, spaces.Dict):
        if not isinstance(value, Mapping):
            raise UserError(f"{name}: a {type(value).__name__}, expected a dictionary of {', '.join(space.spaces)}")
        _check_keys(value, list(space.spaces), name)
        return {key: _read(part, value[key], f"{name}.{key}", stacked) for key, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        if not isinstance(value, list) or len(value) != len(space.spaces):
            raise UserError(f"{name}: expected a list of {len(space.spaces)}")
        return tuple(_read(part, value[i], f"{name}.{i}", stacked) for i, part in enumerate(space.spaces))
    if not is_text(space):
        return _array(space, value, name, stacked)
    for text in value if stacked and isinstance(value, list) else [value]:
        if not isinstance(text, str) or len(text) > _MOST_CHARACTERS:
            kind = f"{len(text)} characters" if isinstance(text, str) else f"a {type(text).__name__}"
            raise UserError(f"{name}: {kind}, expected text of at most {_MOST_CHARACTERS} characters")
    if stacked and not isinstance(value, list):
        raise UserError(f"{name}: a text, expected a list of one a timestep")
    return value


def _array(space: Space, value: Any, name: str, stacked: bool = False) -> np.ndarray:
    """Numbers in the shape of a space, behind an axis of timesteps if `stacked`; in memory of their own."""
    shape = space.shape or ()
    expected = f"numbers of shape {('T', *shape) if stacked else shape}".replace("'", "")
    if not isinstance(value, np.ndarray | np.generic | bool | int | float):
        raise UserError(f"{name}: a {type(value).__name__}, expected {expected}")
    array = np.array(value)
    if array.dtype.kind not in "biuf" or array.shape[stacked:] != shape or array.ndim != len(shape) + stacked:
        raise UserError(f"{name}: {array.dtype} of shape {array.shape}, expected {expected}")
    return array


def _length(columns: Any) -> int:
    """Timesteps of stacked values."""
    if isinstance(columns, dict | tuple):
        return _length(next(iter(columns.values() if isinstance(columns, dict) else columns), []))
    return len(columns)


def _check_keys(value: Mapping[Any, Any], expected: Sequence[str], name: str) -> None:
    if wrong := [key for key in value if key not in expected]:
        raise unknown(f"key of {name}", str(wrong[0])[:100], expected)
    if missing := [key for key in expected if key not in value]:
        raise UserError(f"{name}: {missing[0]} is missing; expected {', '.join(expected)}")


def _check_size(described: Any, name: str) -> None:
    """Whether a described space is small enough to be made."""
    if isinstance(described, dict):
        inner = described.get("subspaces") or []
        for part in inner.values() if isinstance(inner, dict) else inner:
            _check_size(part, name)
        sizes = described.get("shape", described.get("n", 1) if described.get("type") == "MultiBinary" else 1)
        if (count := math.prod(sizes if isinstance(sizes, list) else [sizes])) > _MOST_VALUES:
            raise UserError(f"{name}: {count} values, expected at most {_MOST_VALUES}")
