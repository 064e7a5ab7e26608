"""Finding out before long work whether its result can be written."""

import os
from pathlib import Path

from gato_lightning.errors import UserError


def check_file(path: Path, option: str) -> None:
    """Whether a file can be written, and its folder be made; writes nothing.

    Args:
        path: the file.
        option: that named it, for the message.

    Raises:
        UserError: it cannot.
    """
    if path.is_dir():
        raise UserError(f"{option} {path}: that is a folder, expected the name of a file")
    if path.exists() and not os.access(path, os.W_OK):
        raise UserError(f"{option} {path}: no permission to write it")
    _check(path.parent, f"{option} {path}")


def check_folder(path: Path, option: str) -> None:
    """Whether files can be written into a folder, and it be made; writes nothing.

    Raises:
        UserError: they cannot.
    """
    _check(path, f"{option} {path}")


def _check(folder: Path, what: str) -> None:
    there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    if not there.is_dir():
        raise UserError(f"{what}: {there} is a file, expected a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"{what}: no permission to write into {there}")
