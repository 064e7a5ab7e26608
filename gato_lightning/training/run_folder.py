"""The log folder of a run: made for it alone, and found from its checkpoint."""

from pathlib import Path
from typing import Any

from gato_lightning.errors import UserError


def config_beside(checkpoint: str) -> str:
    """The `config.yaml` of the run that wrote a checkpoint.

    Raises:
        UserError: When there is none.
    """
    for folder in run_folders(checkpoint):
        if (folder / "config.yaml").is_file():
            return str(folder / "config.yaml")
    raise UserError(f"no --config given, and no config.yaml beside {checkpoint}")


def run_folders(checkpoint: str) -> list[Path]:
    """Where the files of the run that wrote a checkpoint may lie.

    A ModelCheckpoint writes into the folder `checkpoints` of the run's log folder, unless told otherwise.
    """
    return list(Path(checkpoint).absolute().parents)[:2]


def claim_version(logger: Any) -> None:
    """Makes the log folder of a logger that counts versions, with the next version whose folder is not there.

    Lightning's loggers choose the number when they first write, so that two runs which begin together choose the same one.
    """
    while getattr(logger, "_version", 0) is None:
        try:
            Path(logger.log_dir).mkdir(parents=True)
        except FileExistsError:
            logger._version = None
