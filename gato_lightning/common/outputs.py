"""Writing files whole or not at all, and finding out before long work whether its result can be written."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Writes a file so that whoever looks finds the old one or the new one, and never a part, whenever the process is killed.

    Args:
        path: the file; its folder is made.

    Yields:
        The file to write to, in the same folder. It takes the place of `path` when the block ends and its bytes are on the
        disk; if the block raises, it is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{_process(os.getpid())}")
    try:
        yield partial
        to_disk(partial)
        os.replace(partial, path)
        to_disk(path.parent)
    finally:
        partial.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Removes what `whole_file` could not, as its process was killed; not what a process of this machine still writes."""
    for partial in folder.glob(f".*.{_process('*')}"):
        pid = partial.suffixes[-2].rpartition("-")[2]
        if pid.isdecimal() and not _runs(int(pid)):
            partial.unlink(missing_ok=True)


def _process(pid: int | str) -> str:
    return f"{platform.node().replace('.', '_')}-{pid}.partial"


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def to_disk(path: Path) -> None:
    """Has the kernel write a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
