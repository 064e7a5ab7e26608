"""Files that data sets are read from."""

from pathlib import Path

from gato_lightning.errors import UserError


def fingerprint(path: Path) -> list[object]:
    """What changes when a file does: its name, size and time.

    Raises:
        UserError: there is no such file.
    """
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file") from error
    return [str(path), stat.st_size, stat.st_mtime_ns]
