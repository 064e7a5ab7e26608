"""The log folder of a run, found from its checkpoint."""

from pathlib import Path

from gato_lightning.errors import UserError


def config_beside(checkpoint: str) -> str:
    """The `config.yaml` of the run that wrote a checkpoint.

    Raises:
        UserError: When there is none.
    """
    # A ModelCheckpoint writes into the folder `checkpoints` of the run's log folder, unless told otherwise.
    for folder in list(Path(checkpoint).absolute().parents)[:2]:
        if (folder / "config.yaml").is_file():
            return str(folder / "config.yaml")
    raise UserError(f"no --config given, and no config.yaml beside {checkpoint}")
