"""Reads texts from plain files, JSON Lines, Parquet, WebDataset shards and Hugging Face data sets."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet

from datamodules.base.faults import Fault
from datamodules.readers import hugging_face, shards
from datamodules.readers.files import find, json_lines, text_field
from gato_lightning.errors import UserError

_JSON = (".jsonl", ".jsonl.gz", ".jsonl.zst")
SUFFIXES = (".txt", *_JSON, ".parquet", *shards.SUFFIXES)


def source_fingerprint(source: str) -> list[object]:
    """Returns a value that changes with the texts of a source; for remote shards and Hugging Face data sets, only the name.

    Raises:
        UserError: if there is no such source.
    """
    if source.startswith(hugging_face.PREFIX):
        return [source]
    return [source, *(shards.shard_fingerprint(file) for file in _files(source))]


def texts(source: str, field: str) -> Iterator[tuple[str, str] | Fault]:
    """Yields the texts of a source, each with a name that is the same on every machine, and faults for unusable entries.

    Args:
        source: a file, a folder, in which every file with one of `SUFFIXES` is read, a pattern of shards such as
            `texts-{000..127}.tar`, or `datasets:NAME:SPLIT`.
        field: the field of a JSON object, or the column of a table, that holds the text.

    Raises:
        UserError: if there is no such source.
    """
    if source.startswith(hugging_face.PREFIX):
        for place, value in hugging_face.texts(source, field):
            yield _checked(place, place, value, field)
        return
    root = Path(source)
    for file in _files(source):
        name = Path(file).relative_to(root).as_posix() if root.is_dir() else Path(file).name
        if file.endswith(shards.SUFFIXES):
            for one in shards.texts(file):
                yield one if isinstance(one, Fault) else _checked(f"{name}/{one[0]}", f"{file}/{one[0]}", one[1], field)
        elif file.endswith(".parquet"):
            yield from _table(Path(file), name, field)
        elif file.endswith(_JSON):
            for line in json_lines(Path(file)):
                if isinstance(line, Fault):
                    yield line
                else:
                    place, row = line
                    yield _checked(f"{name}:{place.rpartition(':')[2]}", place, row.get(field), field)
        else:
            try:
                yield _checked(name, f"text file {file}", Path(file).read_text(encoding="utf-8"), field)
            except UnicodeDecodeError as error:
                yield Fault(f"text file {file}: not UTF-8 at byte {error.start}")


def _files(source: str) -> list[str]:
    if source.endswith(shards.SUFFIXES):
        return shards.expand(source)
    return [str(path) for path in find(source, SUFFIXES)]


def _checked(name: str, place: str, value: object, field: str) -> tuple[str, str] | Fault:
    try:
        return name, text_field({field: value}, field).strip()
    except UserError as error:
        return Fault(f"{place}: {error}")


def _table(path: Path, name: str, field: str) -> Iterator[tuple[str, str] | Fault]:
    row = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            if field not in table.schema_arrow.names:
                raise UserError(f"{path}: has no column '{field}'; its columns are {', '.join(table.schema_arrow.names)}")
            for batch in table.iter_batches(columns=[field]):
                for value in batch.column(0).to_pylist():
                    yield _checked(f"{name}:{row}", f"{path}, row {row}", value, field)
                    row += 1
    except (pyarrow.ArrowInvalid, OSError) as error:
        yield Fault(f"{path}: breaks off after {row} rows ({error})")
