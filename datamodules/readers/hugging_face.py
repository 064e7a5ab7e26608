"""Reads Hugging Face data sets, by name or from disk; requires the extra `data`."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

from datamodules.base.faults import Fault
from datamodules.readers.image_texts import ImageText, Reader, captioned
from gato_lightning.errors import UserError

PREFIX = "datasets:"
_ROWS_PER_JOB = 1024


def load(source: str) -> Any:
    """Loads the data set `datasets:NAME`, `datasets:NAME:SPLIT` or `datasets:FOLDER`; the default split is `train`.

    Raises:
        UserError: if the package is not installed, or the data set cannot be loaded.
    """
    try:
        import datasets
    except ImportError as error:
        raise UserError(f"{source}: needs the package 'datasets'; install this project with its extra 'data'") from error
    name, _, split = source.removeprefix(PREFIX).partition(":")
    try:
        if (Path(name) / "state.json").is_file() or (Path(name) / "dataset_dict.json").is_file():
            found = datasets.load_from_disk(name)
            return found[split or "train"] if isinstance(found, datasets.DatasetDict) else found
        return datasets.load_dataset(name, split=split or "train")
    except Exception as error:  # from the hub, the network, the file system or the data set's own builder
        raise UserError(f"{source}: cannot be loaded ({error})") from error


def column(source: str, data: Any, name: str) -> str:
    """Returns the name of a column if the data set has it.

    Raises:
        UserError: if the data set has no such column.
    """
    if name not in data.column_names:
        raise UserError(f"{source}: has no column '{name}'; its columns are {', '.join(data.column_names)}")
    return name


def caption_readers(source: str, image_column: str, text_column: str) -> list[Reader]:
    """Returns readers of a data set with a column of images and a column of captions (a text or a list of texts per row)."""
    import datasets

    data = load(source)
    for name in (image_column, text_column):
        column(source, data, name)
    data = data.cast_column(image_column, datasets.Image(decode=False))
    starts = range(0, len(data), _ROWS_PER_JOB)
    return [partial(_captions, source, data, start, image_column, text_column) for start in starts]


def _captions(source: str, data: Any, start: int, image_column: str, text_column: str) -> Iterator[ImageText | Fault]:
    for number in range(start, min(start + _ROWS_PER_JOB, len(data))):
        row, name = data[number], f"{source}, row {number}"
        image, caption = row[image_column], row[text_column]
        held = (image or {}).get("bytes") or (Path(image["path"]) if image and image.get("path") else None)
        if held is None:
            yield Fault(f"{name}: no image")
        else:
            texts = [caption] if isinstance(caption, str) else list(caption or [])
            yield captioned(f"{source} {number}", held, name, texts)


def texts(source: str, text_column: str) -> Iterator[tuple[str, Any]]:
    """Yields for each row its place and the value in its text column."""
    data = load(source)
    column(source, data, text_column)
    for number, text in enumerate(data[text_column]):
        yield f"{source}, row {number}", text
