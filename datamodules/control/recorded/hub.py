"""Data sets by a folder, or by their name on the Hugging Face hub."""

from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from gato_lightning.errors import UserError


def find_folder(name: str, revision: str | None = None, patterns: Sequence[str] | None = None) -> Path:
    """The folder of this path; or of a data set of this name on the hub, which is downloaded.

    Args:
        name: of a folder, or on the hub, such as `lerobot/pusht`.
        revision: of a data set on the hub.
        patterns: of the files that are downloaded; None: all.

    Raises:
        UserError: there is none, or it cannot be downloaded.
    """
    if Path(name).is_dir():
        return Path(name)
    if name.count("/") != 1 or Path(name).exists():
        raise UserError(f"{name}: no such folder, nor the name of a data set on the hub, such as lerobot/pusht")
    try:
        return Path(snapshot_download(name, repo_type="dataset", revision=revision, allow_patterns=patterns))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"{name}: no such folder, nor a data set on the hub that can be read ({said})") from error
