"""JAT's data set as tasks: Parquet files with an episode a row."""

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from PIL import Image

from datamodules.control.recorded.arrow_columns import values_of
from datamodules.control.recorded.columns import Frames
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.hub import find_folder
from datamodules.control.recorded.recording import Recording, split_of
from gato_lightning.errors import UserError, unknown
from gato_lightning.tokens.image_files import FORMATS

_SPLITS = ("train", "test")


class JatDataModule(ColumnsTask):
    """Episodes in the layout of `jat-project/jat-dataset`, one configuration of it or several alike.

    Text, image, discrete and continuous observations are those that a configuration has, as are its discrete or continuous
    actions. Images of four channels are Atari's last four frames in grey; the last three of them are shown as red, green and
    blue.

    Args:
        path: a folder of Parquet files below folders named like the configurations; or the name of a data set on the hub, of
            which the configuration is downloaded.
        config: the configuration, such as `atari-pong`; or a pattern of several with the same columns, such as `metaworld-*`:
            prompts then come from the same configuration.
        revision: of a data set on the hub.
        kwargs: of `ColumnsTask`.
    """

    domain = "jat"
    action_keys = ("discrete_actions", "continuous_actions")

    def __init__(self, path: str, config: str, revision: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        folder = find_folder(path, revision, [f"{config}/*", f"*/{config}/*"])
        files = {file: _config_and_split(file) for file in sorted(folder.rglob("*.parquet"))}
        chosen = {file: found for file, found in files.items() if fnmatchcase(found[0], config)}
        if not chosen:
            raise unknown(f"configuration in {path}", config, {name for name, _ in files.values()})
        _check_alike(list(chosen), [name for name, _ in chosen.values()])
        self.describe([row for file, (_, split) in chosen.items() for row in _rows(file, split)], f"{path}, {config}")

    def source_of(self, recording: Recording) -> str:
        """The configuration."""
        return _config_and_split(recording.file)[0]

    def name_of(self, key: str) -> str:
        return key.removesuffix("_observations")

    def is_observed(self, key: str) -> bool:
        return key.endswith("_observations")

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        group, row = recording.where
        names = _schema(recording.file).names
        wanted = tuple(name for name in names if keys is None or name in keys)
        table = _row_group(recording.file, group, wanted)
        found: dict[str, Any] = {}
        for name in wanted:
            cell = table.column(name)[row]
            if not cell.is_valid:
                raise UserError(f"column {name}: missing")
            if not isinstance(cell, pyarrow.ListScalar):
                raise UserError(f"column {name}: {cell.type}, expected a list of what was at each timestep")
            values = values_of(cell.values, name, recording.file.parent)
            is_image = isinstance(values, list) and values and isinstance(values[0], bytes)
            found[name] = EncodedImages(values, name) if is_image else values
        return found


class EncodedImages(Frames):
    """Image files in memory; of four channels the last three are shown.

    Args:
        encoded: what is in each file.
        name: of the column, for messages.
    """

    def __init__(self, encoded: Sequence[bytes], name: str) -> None:
        self.encoded, self.name = encoded, name

    def __len__(self) -> int:
        return len(self.encoded)

    def __getitem__(self, rows: slice) -> "EncodedImages":
        return EncodedImages(self.encoded[rows], self.name)

    def __iter__(self) -> Iterator[Image.Image]:
        for number, one in enumerate(self.encoded):
            try:
                with Image.open(io.BytesIO(one), formats=FORMATS) as image:
                    image.load()
                    yield Image.fromarray(np.asarray(image)[..., 1:]) if image.mode == "RGBA" else image
            except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
                raise UserError(f"column {self.name}, image {number}: cannot be decoded ({error})") from error


def _config_and_split(path: Path) -> tuple[str, str]:
    """Of `CONFIG/train-00000-of-00002.parquet` or `CONFIG/train/0000.parquet`."""
    if path.parent.name in _SPLITS:
        return path.parent.parent.name, path.parent.name
    return path.parent.name, re.split(r"[-._]", path.name)[0]


def _rows(path: Path, split: str) -> Iterator[Recording]:
    """The episodes of a file.

    Raises:
        UserError: it cannot be read.
    """
    with _opened(path) as file:
        counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
    number = 0
    for group, count in enumerate(counts):
        for row in range(count):
            yield Recording(path, f"row {number}", (group, row), split_of(split, _SPLITS))
            number += 1


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UserError(f"{path}: cannot be read ({error})") from error


@lru_cache(maxsize=64)
def _schema(path: Path) -> pyarrow.Schema:
    with _opened(path) as file:
        return file.schema_arrow


@lru_cache(maxsize=1)  # its episodes are read one after another
def _row_group(path: Path, group: int, columns: tuple[str, ...]) -> pyarrow.Table:
    with _opened(path) as file:
        try:
            return file.read_row_group(group, columns=list(columns))
        except (OSError, pyarrow.ArrowException) as error:
            raise UserError(f"cannot be read ({error})") from error


def _check_alike(files: Sequence[Path], configs: Sequence[str]) -> None:
    """Whether all configurations have the same columns.

    Raises:
        UserError: two have not; names them.
    """
    first = sorted(_schema(files[0]).names)
    for file, config in zip(files, configs, strict=True):
        if (names := sorted(_schema(file).names)) != first:
            columns = f"{', '.join(first)}, and {', '.join(names)}"
            raise UserError(f"configurations {configs[0]} and {config} have different columns: {columns}")
