"""Data sets on disk as small as the tests need them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from datamodules.base.task import TaskDataModule
from datamodules.collecting.collect import prepare
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TOKENIZER = TextTokenizer()


def photograph(seed: int, width: int = 80, height: int = 60) -> Image.Image:
    """A smooth picture in colours of its own."""
    corners = np.random.default_rng(seed).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC)


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_coco(folder: Path, images: int, captions: int = 5, first: int = 0, name: str = "captions.json") -> Path:
    """A COCO captions file beside a folder `images`; image i has the captions `picture i, view 0`, `picture i, view 1`, ..."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    numbers = range(first, first + images)
    for i in numbers:
        photograph(i).save(folder / "images" / f"{i}.jpg")
    content = {
        "images": [{"id": i, "file_name": f"{i}.jpg"} for i in numbers],
        "annotations": [
            {"id": 100 * i + n, "image_id": i, "caption": f"picture {i}, view {n}"} for i in numbers for n in range(captions)
        ],
    }
    return write_json(folder / name, content)


def stored(module: TaskDataModule, cache: Path, context_length: int = 64) -> TaskDataModule:
    """The module with its stores made and opened, as a run does it."""
    connected(module, cache, context_length)
    prepare([module], workers=1)
    module.setup("fit")
    return module


def connected(module: TaskDataModule, cache: Path, context_length: int = 64) -> TaskDataModule:
    module.connect("pictures", Vocabulary(), TOKENIZER, context_length, cache)
    return module
