"""Finds the files of data sets, detects changes in them, and reads their lines."""

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow
from fsspec.compression import register_compression

from datamodules.base.faults import Fault
from gato_lightning.errors import UserError


def fingerprint(path: Path) -> list[object]:
    """Returns the name, size and time of a file, which change with its content.

    Raises:
        UserError: if there is no such file.
    """
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    return [str(path), stat.st_size, stat.st_mtime_ns]


def _zstd(file: BinaryIO, mode: str = "rb", **_: Any) -> BinaryIO:
    """Opens a zstd stream with pyarrow, because fsspec's own reader takes a truncated file for a complete one."""
    return cast(BinaryIO, pyarrow.CompressedInputStream(file, "zstd"))


register_compression("zstd", _zstd, "zst", force=True)


def open_binary(path: Path) -> BinaryIO:
    """Opens a file as bytes, decompressed according to its suffix, such as .gz or .zst."""
    return cast(BinaryIO, fsspec.open(str(path), "rb", compression="infer").open())


def json_lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Fault]:
    """Yields the objects of a .jsonl, .jsonl.gz or .jsonl.zst file with their place `file:line`; for other lines, faults.

    Empty lines are skipped. A truncated file is read up to its end.

    Raises:
        UserError: if there is no such file.
    """
    number = 0
    try:
        with open_binary(path) as file:
            # A zstd stream cannot be read by lines, and a gzip file has a buffer already, so both are read in blocks.
            for number, line in enumerate(_lines(file), start=1):
                place = f"{path}:{number}"
                try:
                    row = json.loads(line) if line.strip() else None
                except UnicodeDecodeError as error:
                    yield Fault(f"{place}: not UTF-8 at byte {error.start} of the line")
                except json.JSONDecodeError as error:
                    yield Fault(f"{place}: not JSON ({error.msg} at column {error.colno})")
                else:
                    if isinstance(row, dict):
                        yield place, row
                    elif line.strip():
                        yield Fault(f"{place}: expected a JSON object")
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    except (OSError, EOFError, zlib.error) as error:  # broken compression
        yield Fault(f"{path}:{number + 1}: the file breaks off ({error})")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    rest = b""
    while block := file.read(1 << 16):  # all but the last block of a broken file can be read
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest


def text_field(row: Mapping[str, Any], name: str) -> str:
    """Returns the text in a field of a JSON object.

    Raises:
        UserError: if the field is missing, is not a string, or is empty.
    """
    text = row.get(name)
    if not isinstance(text, str):
        raise UserError(f"expected a text under '{name}'")
    if not text.strip():
        raise UserError(f"the text under '{name}' is empty")
    return text


def find(source: str, suffixes: Sequence[str]) -> list[Path]:
    """Returns the file `source`, or the files at any depth in the folder `source` that end in a suffix, sorted.

    Raises:
        UserError: if there is no such file or folder, or no such file in the folder.
    """
    path = Path(source)
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path}: no such file or folder")
    files = sorted(one for one in path.rglob("*") if one.name.endswith(tuple(suffixes)) and one.is_file())
    if not files:
        raise UserError(f"{path}: no file in it ends in {' or '.join(suffixes)}")
    return files


def within(folder: Path, name: str) -> Path:
    """The file of this name in a folder; links in it are followed, as those of a hub's cache are.

    Args:
        folder: where a data set lies.
        name: relative, as the data set gives it.

    Raises:
        UserError: it leads out of the folder.
    """
    relative = os.path.normpath(name)
    if os.path.isabs(relative) or relative.split(os.sep)[0] == os.pardir or "\0" in name:
        raise UserError(f"path '{name}' leads out of the folder {folder}")
    return folder / relative
