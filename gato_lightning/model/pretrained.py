"""Weights for everyone: a folder of safetensors and JSON, which nothing has to be trusted to read.

gato-small/
  model.safetensors   weights in bf16
  config.json         the model's settings, and the tasks that it knows
  config.yaml         config of the run that trained it, for rollouts and further training
  prompts/TASK/       a few demonstrations of each control task
  README.md           model card
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from gato_lightning.errors import UserError, unknown

WEIGHTS, SETTINGS, PROMPTS = "model.safetensors", "config.json", "prompts"
SHIPPED = Path(__file__).parents[1] / "weights"
FORMAT = 1


def shipped() -> list[str]:
    """Returns the names of the models in the package."""
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{WEIGHTS}"))


def find(name: str | Path) -> Path:
    """Returns the folder of a pretrained model.

    Args:
        name: a shipped name, such as `gato-small`, or a folder.

    Raises:
        UserError: there is no such model.
    """
    for folder in (Path(name), SHIPPED / name):
        if (folder / WEIGHTS).is_file() and (folder / SETTINGS).is_file():
            return folder
    if Path(name).exists():
        raise UserError(f"{name}: no pretrained model; expected a folder with {WEIGHTS} and {SETTINGS}")
    raise unknown("pretrained model", str(name), shipped())


def write_pretrained(folder: Path, weights: Mapping[str, Tensor], settings: Mapping[str, Any]) -> None:
    """Writes weights, as bf16, and settings.

    Args:
        folder: made if it is not there.
        weights: state of a `GatoModule`, by name.
        settings: JSON values that go with it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    content = {"format": FORMAT, **settings}
    (folder / SETTINGS).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_settings(folder: Path) -> dict[str, Any]:
    """Reads the settings of a pretrained model.

    Raises:
        UserError: the file is damaged, or of a later format.
    """
    path = folder / SETTINGS
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
        written = settings["format"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: expected the settings of a pretrained model ({error})") from error
    if written != FORMAT:
        raise UserError(f"{path}: format {written}, expected {FORMAT}; a newer version of gato-lightning may read it")
    return dict(settings)


def read_weights(folder: Path) -> dict[str, Tensor]:
    """Reads the weights of a pretrained model, as float32.

    Raises:
        UserError: the file is damaged.
    """
    try:
        return {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{folder / WEIGHTS}: damaged, or no safetensors file ({error})") from error
