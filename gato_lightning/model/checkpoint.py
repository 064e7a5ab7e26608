"""Reading checkpoints: only our own, only whole ones, and never code.

A checkpoint is a pickle, and a pickle may run anything when it is read. Every read here is weights-only, which allows
tensors and plain Python values and nothing else.
"""

import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.utilities.cloud_io import _is_local_file_protocol
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.plugins.io.wrapper import _WrappingCheckpointIO

from gato_lightning.common.outputs import whole_file
from gato_lightning.errors import UserError, did_you_mean
from gato_lightning.model.config import GatoConfig
from gato_lightning.model.gato import Gato
from gato_lightning.model.pretrained import WEIGHTS, read_settings, read_weights
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

MARK = "gato_lightning"  # the key that `GatoModule.on_save_checkpoint` writes
METADATA = "meta.pt"  # of a sharded checkpoint, which is a folder: all but weights and optimiser


def load_checkpoint(path: str | Path, mmap: bool = False) -> dict[str, Any]:
    """Reads a checkpoint onto the CPU.

    Args:
        path: The file; or the `model.safetensors` of a pretrained model.
        mmap: Leaves the tensors on disk until they are used; for a look at what else is in the file.

    Raises:
        UserError: When the file is missing, cut short, not a checkpoint of this project, or holds more than weights and
            plain values.
    """
    path = Path(path)
    if path.name == WEIGHTS:  # of a pretrained model
        return {"state_dict": read_weights(path.parent), MARK: read_settings(path.parent)}
    if (path / METADATA).is_file():
        one_file = f"python -m lightning.pytorch.utilities.consolidate_checkpoint {path}"
        raise UserError(f"{path} is a sharded checkpoint; `{one_file}` makes one file of it")
    if not path.is_file():
        hint = did_you_mean(str(path), map(str, path.parent.glob("*.ckpt")))
        raise UserError(f"checkpoint {path} does not exist{hint}")
    # torch writes a zip file, whose table of contents comes last: where it is missing, so is the end of the file.
    if not zipfile.is_zipfile(path):
        raise UserError(f"{path} is not a checkpoint, or was cut short")
    return _checked(path, lambda: torch.load(path, map_location="cpu", weights_only=True, mmap=mmap))


def load_model(checkpoint: Mapping[str, Any]) -> Gato:
    """Returns the model of a checkpoint, in evaluation mode.

    Raises:
        UserError: the weights do not fit the settings.
    """
    config = checkpoint[MARK]["config"]
    model = Gato(GatoConfig(**{**config, "vocabulary": Vocabulary(**config["vocabulary"])}))
    weights = {name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items()}
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(f"the weights do not fit the model's settings: {' '.join(str(error).split())[:300]}") from error
    return model.eval()


def _checked(path: Any, read: Callable[[], Any]) -> dict[str, Any]:
    """What `read` finds in a checkpoint; what goes wrong becomes a `UserError`."""
    try:
        checkpoint = read()
    except pickle.UnpicklingError:
        raise UserError(f"{path} holds more than weights and plain values; reading it could run code") from None
    except FileNotFoundError:
        raise UserError(f"checkpoint {path} does not exist") from None
    except (RuntimeError, EOFError, KeyError) as error:
        raise UserError(f"{path} is damaged or not a checkpoint: {(str(error).splitlines() or [''])[0]}") from None
    if not isinstance(checkpoint, dict) or MARK not in checkpoint:
        raise UserError(f"{path} is not a checkpoint of gato-lightning")
    return checkpoint


class GatoCheckpointIO(_WrappingCheckpointIO):
    """Makes every read of the Trainer, whatever asked for it, a checked and weights-only one.

    Files are written, read and removed by the plugin within: Lightning's own, or the user's.
    """

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Reads a checkpoint; where to and how are not the caller's choice."""
        if type(self.checkpoint_io) is TorchCheckpointIO:
            return load_checkpoint(path)
        within = super().load_checkpoint
        return _checked(path, lambda: within(path, map_location="cpu", weights_only=True))

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Writes a checkpoint; on a local disk, whole or not at all.

        Lightning's own writing goes through the folder for temporary files, from where a file is copied over the old one if
        that lies on another file system: a kill then leaves neither.
        """
        if type(self.checkpoint_io) is TorchCheckpointIO and _is_local_file_protocol(path):
            with whole_file(Path(path)) as partial:
                torch.save(checkpoint, partial)
        else:
            super().save_checkpoint(checkpoint, path, storage_options)

    def load_settings(self, path: Any) -> dict[str, Any]:
        """Reads what a checkpoint says of its model; weights stay on disk where the plugin lets them."""
        if (metadata := Path(path, METADATA)).is_file():
            checkpoint = load_checkpoint(metadata)
        elif type(self.checkpoint_io) is TorchCheckpointIO:
            checkpoint = load_checkpoint(path, mmap=True)
        else:
            checkpoint = self.load_checkpoint(path)
        settings: dict[str, Any] = checkpoint[MARK]
        return settings

    def teardown(self) -> None:
        """Lets the plugin within finish what it still writes."""
        assert self.checkpoint_io is not None
        self.checkpoint_io.teardown()


def check_tokenizer(stored: Mapping[str, Any], text: TextTokenizer) -> None:
    """Whether a checkpoint was trained with a text tokenizer; with another one its ids would mean something else.

    Args:
        stored: what the checkpoint says of its model.
        text: the tokenizer.

    Raises:
        UserError: it was not.
    """
    trained = stored.get("tokenizer_sha256")
    if trained and trained != text.sha256:
        raise UserError(
            f"tokenizer model {text.path}: not the one that the checkpoint was trained with (sha256 {trained[:12]}..)"
        )


def check_action_bounds(
    stored: Mapping[str, Mapping[str, list[list[float]]]], present: Mapping[str, Mapping[str, list[list[float]]]]
) -> None:
    """Whether the actions of a checkpoint's tasks were scaled as they are now, where their bounds come from the data.

    Args:
        stored: by task and column, low and high bounds in the checkpoint.
        present: the same, now.

    Raises:
        UserError: some differ; names task and column.
    """
    for task in stored.keys() & present.keys():
        for column in stored[task].keys() & present[task].keys():
            (low, high), now = stored[task][column], present[task][column]
            if [low, high] != now:
                raise UserError(
                    f"task {task}: {column} was scaled from {low} to {high} in the checkpoint, but its data give {now[0]} to "
                    f"{now[1]} now; keep the former by `scaling: {{low: {low}, high: {high}}}`"
                )


def differences(stored: Mapping[str, Any], current: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Lists the settings in which two nested configs differ, as `"model.width: 192 in the checkpoint, 256 here"`.

    A setting that only one of them has is left out: it came or went with a version of the code.
    """
    lines: list[str] = []
    for key in stored.keys() & current.keys():
        old, new, name = stored[key], current[key], f"{prefix}{key}"
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            lines += differences(old, new, f"{name}.")
        elif _listed(old) != _listed(new):
            lines.append(f"{name}: {old} in the checkpoint, {new} here")
    return sorted(lines)


def _listed(value: Any) -> Any:
    """A config read from YAML has lists where the code has tuples."""
    return list(value) if isinstance(value, tuple) else value
