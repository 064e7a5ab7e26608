"""TFRecord files, read without TensorFlow: where records lie, and what is in one. Needs the extra `rlds`.

A record is its length (8 bytes), a checksum of that (4), the bytes, and a checksum of these (4).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from gato_lightning.errors import UserError

_HEAD, _TAIL = 12, 4
_MASK = 0xA282EAD8


def offsets(path: Path) -> Iterator[int]:
    """Where each record begins; of a file that breaks off, the broken one is among them, and nothing behind it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        place = 0
        while place < size:
            yield place
            head = file.read(_HEAD)
            if len(head) < _HEAD or not _is_whole(head[:8], head[8:]):
                return
            place += _HEAD + int(struct.unpack("<Q", head[:8])[0]) + _TAIL
            file.seek(place)


def read_record(path: Path, offset: int) -> dict[str, list[bytes] | np.ndarray]:
    """The features of the `tf.train.Example` that begins at a place of a file.

    Returns:
        By the feature's key, a list of byte strings, or an array of float32 or int64.

    Raises:
        UserError: the extra is not installed, the file breaks off, or its checksums do not fit.
    """
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = _checked(file, path)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror})") from error
    return _features(data)


def _checked(file: BinaryIO, path: Path) -> bytes:
    head = file.read(_HEAD)
    if len(head) < _HEAD:
        raise UserError("the file breaks off in it")
    if not _is_whole(head[:8], head[8:]):
        raise UserError("its length is damaged (checksum)")
    (length,) = struct.unpack("<Q", head[:8])
    if length > path.stat().st_size:
        raise UserError("the file breaks off in it")
    data, tail = file.read(length), file.read(_TAIL)
    if len(data) < length or len(tail) < _TAIL:
        raise UserError("the file breaks off in it")
    if not _is_whole(data, tail):
        raise UserError("it is damaged (checksum)")
    return data


def _is_whole(data: bytes, checksum: bytes) -> bool:
    found = _packages()[0].crc32c(data)
    masked = ((found >> 15 | found << 17) + _MASK) & 0xFFFFFFFF
    return bool(masked == struct.unpack("<I", checksum)[0])


def _features(data: bytes) -> dict[str, list[bytes] | np.ndarray]:
    _, example_pb2, decode_error = _packages()
    try:
        features = example_pb2.Example.FromString(data).features.feature
    except decode_error as error:
        raise UserError(f"it is no tf.train.Example ({error})") from error
    found: dict[str, list[bytes] | np.ndarray] = {}
    for key, feature in features.items():
        kind = feature.WhichOneof("kind")
        if kind == "bytes_list":
            found[key] = list(feature.bytes_list.value)
        elif kind == "float_list":
            found[key] = np.array(feature.float_list.value, np.float32)
        elif kind == "int64_list":
            found[key] = np.array(feature.int64_list.value, np.int64)
    return found


def _packages() -> tuple[Any, Any, Any]:
    try:
        import crc32c
        from google.protobuf.message import DecodeError
        from tfrecord import example_pb2
    except ImportError as error:
        raise UserError("TFRecord files need the package 'tfrecord'; install this project with its extra 'rlds'") from error
    return crc32c, example_pb2, DecodeError
