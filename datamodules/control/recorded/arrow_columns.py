"""Columns of Parquet files, as pyarrow reads them, as arrays, texts and images."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from datamodules.readers.files import within
from gato_lightning.errors import UserError


def values_of(column: pa.Array | pa.ChunkedArray, name: str, folder: Path) -> Any:
    """The values of a column.

    Args:
        column: of numbers, texts, images (structs of bytes and path, as `datasets` writes them), or lists of these.
        name: of the column, for messages.
        folder: of the data set, in which image files lie.

    Returns:
        An array (rows, ...) of numbers, nested lists of equal lengths becoming axes; a list of texts; a list of encoded images
        or of their paths.

    Raises:
        UserError: a value is missing, or lists have different lengths.
    """
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # of no rows, in some versions
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], array.type)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if array.null_count:
        raise UserError(f"column {name}, timestep {array.is_null().to_pylist().index(True)}: missing")
    if pa.types.is_struct(array.type):
        return [_image(one, name, folder) for one in array.to_pylist()]
    if _is_list(array.type):
        return _stacked(array, name, folder)
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type) or pa.types.is_binary(array.type):
        return array.to_pylist()
    return array.to_numpy(zero_copy_only=False)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _stacked(array: pa.Array, name: str, folder: Path) -> np.ndarray:
    """Lists of equal lengths as a further axis."""
    lengths = np.unique(array.value_lengths().to_numpy())
    if len(lengths) > 1:
        raise UserError(f"column {name}: lists of {lengths[0]} to {lengths[-1]} values, expected equal lengths")
    inner = values_of(array.flatten(), name, folder)
    if not isinstance(inner, np.ndarray):
        raise UserError(f"column {name}: lists of {array.type.value_type}, expected numbers")
    return inner.reshape(len(array), int(lengths[0]) if len(lengths) else 0, *inner.shape[1:])


def _image(value: dict[str, Any], name: str, folder: Path) -> bytes | Path:
    if value.get("bytes") is not None:
        return bytes(value["bytes"])
    if value.get("path"):
        return within(folder, value["path"])
    raise UserError(f"column {name}: a struct without bytes and path, expected an image")
