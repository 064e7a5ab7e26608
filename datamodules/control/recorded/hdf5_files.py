"""Reading HDF5 files that others made: what lies in them, and nothing that lies elsewhere."""

import contextlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gato_lightning.errors import UserError

SUFFIXES = (".hdf5", ".h5")


@contextlib.contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """A file to read from; what goes wrong with it becomes a `UserError`."""
    try:
        with h5py.File(path, "r") as file:
            yield file
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, RuntimeError) as error:  # truncated files, broken chunks, filters that are not there
        raise UserError(f"{path}: cannot be read ({error})") from error


def datasets_in(group: h5py.Group) -> dict[str, h5py.Dataset]:
    """The arrays in a group at any depth, by their paths in it; links to other files are not followed.

    Raises:
        UserError: an array whose values lie in other files.
    """
    found: dict[str, h5py.Dataset] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item

    group.visititems(visit)
    for name, item in found.items():
        if item.external or item.is_virtual:
            raise UserError(f"column {name}: its values lie in other files")
    return found


def read_columns(group: h5py.Group, keys: Collection[str] | None, rows: slice = slice(None)) -> dict[str, Any]:
    """Some rows of the arrays in a group, by their paths in it.

    Args:
        group: where they lie.
        keys: which ones; None: all that have rows.
        rows: which rows.
    """
    found = {}
    for name, item in datasets_in(group).items():
        if item.shape and (keys is None or name in keys):
            values = item.asstr()[rows] if h5py.check_string_dtype(item.dtype) else item[rows]
            found[name] = values.tolist() if values.dtype.kind == "O" else np.asarray(values)
    return found
