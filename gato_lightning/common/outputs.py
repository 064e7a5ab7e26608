"""Finding out before long work whether its result can be written."""

import os
from pathlib import Path

from gato_lightning.errors import UserError


def check_file(path: Path, given: str) -> None:
    """Whether a file can be written, and its folder be made; writes nothing.

    Args:
        path: the file.
        given: the option and its value, for the message.

    Raises:
        UserError: it cannot.
    """
    if path.is_dir():
        raise UserError(f"{given}: {path} is a folder, expected the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{given}: no permission to write {path}")
    check_folder(path.parent, given)


def check_folder(path: Path, given: str) -> None:
    """Whether files can be written into a folder, and it be made; writes nothing.

    Args:
        path: the folder.
        given: the option and its value, for the message.

    Raises:
        UserError: they cannot.
    """
    there = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not there.is_dir():
        raise UserError(f"{given}: {there} is a file, expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{given}: no permission to write into {there}")
