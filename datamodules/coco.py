"""Annotation files as COCO lays them out: one JSON file of lists, beside a folder of images."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datamodules.faults import Fault
from datamodules.image_texts import ImageText
from gato_lightning.errors import UserError


def read_json(path: Path, *lists: str) -> list[list[Any]]:
    """The lists of a JSON file by their keys.

    Raises:
        UserError: the file is missing, is no UTF-8 or no JSON, or lacks one of the lists; names the place.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"annotations {path}: no such file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"annotations {path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UserError(f"annotations {path}, line {error.lineno}, column {error.colno}: no JSON ({error.msg})") from error
    for key in lists:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"annotations {path}: expected an object with a list '{key}'")
    return [content[key] for key in lists]


def inside(folder: Path, name: str) -> Path:
    """The file of this name in a folder.

    Args:
        folder: with its links resolved.
        name: relative, as an annotation file gives it.

    Raises:
        UserError: it leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise UserError(f"image '{name}' leads out of the image folder {folder}")
    return path


def image_folder(name: str) -> Path:
    """The folder of this name, with its links resolved.

    Raises:
        UserError: there is none.
    """
    folder = Path(name)
    if not folder.is_dir():
        raise UserError(f"image folder {folder}: no such folder")
    return folder.resolve()


def entries(
    path: Path, key: str, rows: Iterable[Any], faults: list[Fault], **fields: type
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The entries of a list that have the fields they should, each with its place for messages.

    Args:
        path: the annotation file.
        key: of the list in it.
        rows: the list.
        faults: entries without the fields are added here.
        fields: type by name.
    """
    for number, row in enumerate(rows):
        place = f"{path}, {key}[{number}]"
        wrong = [name for name, kind in fields.items() if not isinstance(row, dict) or not isinstance(row.get(name), kind)]
        if wrong:
            faults.append(Fault(f"{place}: expected '{wrong[0]}' of type {fields[wrong[0]].__name__}"))
        else:
            yield place, row


def captions(path: Path, folder: Path) -> tuple[list[ImageText], list[Fault]]:
    """The images of a COCO captions file with all captions of each, and what is wrong with the file's entries.

    Args:
        path: `images` with `id` and `file_name`, `annotations` with `image_id` and `caption`.
        folder: of the images, with its links resolved.

    Raises:
        UserError: the file cannot be read at all.
    """
    images, annotations = read_json(path, "images", "annotations")
    faults: list[Fault] = []
    found: dict[int, tuple[str, Path, list[str]]] = {}
    for place, image in entries(path, "images", images, faults, id=int, file_name=str):
        try:
            found[image["id"]] = place, inside(folder, image["file_name"]), []
        except UserError as error:
            faults.append(Fault(f"{place}: {error}"))
    for place, row in entries(path, "annotations", annotations, faults, image_id=int, caption=str):
        if row["image_id"] not in found:
            faults.append(Fault(f"{place}: there is no usable image {row['image_id']}"))
        elif text := " ".join(row["caption"].split()):
            found[row["image_id"]][2].append(text)
        else:
            faults.append(Fault(f"{place}: the caption is empty"))
    faults += [Fault(f"{place}: the image has no caption") for place, _, texts in found.values() if not texts]
    return [ImageText(file.name, file, str(file), tuple(texts)) for _, file, texts in found.values() if texts], faults
