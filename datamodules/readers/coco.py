"""Reads annotation files in the COCO format: one JSON file of lists, and a folder of images."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from datamodules.base.faults import Fault
from datamodules.readers.image_texts import ImageText, Pair, captioned
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import Example


def read_json(path: Path, *lists: str) -> dict[str, Any]:
    """Returns the object in a JSON file.

    Args:
        path: path of the file.
        lists: keys whose values must be lists.

    Raises:
        UserError: if the file is missing, is not UTF-8 or not JSON, or lacks one of the lists; names the place.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise UserError(f"annotations {path}: no such file") from error
    except UnicodeDecodeError as error:
        raise UserError(f"annotations {path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise UserError(f"annotations {path}, line {error.lineno}, column {error.colno}: not JSON ({error.msg})") from error
    for key in lists:
        if not isinstance(content, dict) or not isinstance(content.get(key), list):
            raise UserError(f"annotations {path}: expected an object with a list '{key}'")
    return content


def inside(folder: Path, name: str) -> Path:
    """Returns the path of a file in a folder.

    Args:
        folder: path of the folder, with links resolved.
        name: path relative to the folder, as given in an annotation file.

    Raises:
        UserError: if the name leads out of the folder.
    """
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise UserError(f"image '{name}' leads out of the image folder {folder}")
    return path


def image_folder(name: str) -> Path:
    """Returns the path of a folder, with links resolved.

    Raises:
        UserError: if there is no such folder.
    """
    folder = Path(name)
    if not folder.is_dir():
        raise UserError(f"image folder {folder}: no such folder")
    return folder.resolve()


def entries(
    path: Path, key: str, rows: Iterable[Any], faults: list[Fault], **fields: type
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the entries of a list that have all required fields, each with its place for messages.

    Args:
        path: path of the annotation file.
        key: key of the list in the file.
        rows: the list.
        faults: list to which a fault is added for each entry without these fields.
        fields: required type of each field, by name.
    """
    for number, row in enumerate(rows):
        place = f"{path}, {key}[{number}]"
        wrong = [name for name, kind in fields.items() if not isinstance(row, dict) or not isinstance(row.get(name), kind)]
        if wrong:
            faults.append(Fault(f"{place}: expected '{wrong[0]}' of type {fields[wrong[0]].__name__}"))
        else:
            yield place, row


def captions(path: Path, folder: Path) -> tuple[list[ImageText], list[Fault]]:
    """Returns the images of a COCO captions file with all their captions, and the faults in the file's entries.

    Args:
        path: path of a file with `images` (`id`, `file_name`) and `annotations` (`image_id`, `caption`).
        folder: folder of the images, with links resolved.

    Raises:
        UserError: if the file cannot be read.
    """
    content = read_json(path, "images", "annotations")
    faults: list[Fault] = []
    found: dict[int, tuple[Path, list[str]]] = {}
    for place, image in entries(path, "images", content["images"], faults, id=int, file_name=str):
        try:
            found[image["id"]] = inside(folder, image["file_name"]), []
        except UserError as error:
            faults.append(Fault(f"{place}: {error}"))
    for place, row in entries(path, "annotations", content["annotations"], faults, image_id=int, caption=str):
        if row["image_id"] not in found:
            faults.append(Fault(f"{place}: there is no usable image {row['image_id']}"))
        elif row["caption"].strip():
            found[row["image_id"]][1].append(row["caption"])
        else:
            faults.append(Fault(f"{place}: the caption is empty"))
    read = [captioned(file.name, file, str(file), texts) for file, texts in found.values()]
    return [one for one in read if isinstance(one, ImageText)], faults + [one for one in read if isinstance(one, Fault)]


def questions(
    questions_path: Path, annotations_path: Path, folder: Path, image_name: str
) -> tuple[list[ImageText], list[Fault]]:
    """Returns the images of VQAv2 or OK-VQA files with all questions about them, and the faults in the files' entries.

    The training answer is the most common of the ten human answers; all ten are references.

    Args:
        questions_path: path of a file with `data_subtype` and `questions` (`question_id`, `image_id`, `question`).
        annotations_path: path of a file with `annotations` (`question_id`, `question_type`, and `answers`, a list of objects
            with `answer`).
        folder: folder of the images, with links resolved.
        image_name: name of an image file, in which `{subtype}` and `{image_id}` are replaced by the question's values, such
            as `COCO_{subtype}_{image_id:012d}.jpg`.

    Raises:
        UserError: if a file cannot be read.
    """
    asked, known = read_json(questions_path, "questions"), read_json(annotations_path, "annotations")
    faults: list[Fault] = []
    answered: dict[int, tuple[str, list[str]]] = {}
    for place, row in entries(annotations_path, "annotations", known["annotations"], faults, question_id=int, answers=list):
        answers = [one["answer"] for one in row["answers"] if isinstance(one, dict) and isinstance(one.get("answer"), str)]
        if answers and all(answer.strip() for answer in answers):
            answered[row["question_id"]] = str(row.get("question_type", "")), answers
        else:
            faults.append(Fault(f"{place}: expected a list of answers that are not empty"))
    found: dict[Path, list[Pair]] = {}
    for place, row in entries(
        questions_path, "questions", asked["questions"], faults, question_id=int, image_id=int, question=str
    ):
        try:
            path = inside(folder, image_name.format(subtype=asked.get("data_subtype", ""), image_id=row["image_id"]))
            group, answers = answered[row["question_id"]]
        except KeyError:
            faults.append(Fault(f"{place}: question {row['question_id']} has no usable answers in {annotations_path}"))
        except UserError as error:
            faults.append(Fault(f"{place}: {error}"))
        else:
            commonest = Counter(answers).most_common(1)[0][0]
            pair = Pair(commonest, " ".join(row["question"].split()), Example(tuple(answers), group))
            found.setdefault(path, []).append(pair)
    return [ImageText(path.name, path, str(path), tuple(pairs)) for path, pairs in found.items()], faults
