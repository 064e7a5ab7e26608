"""A grid of pictures with text under each, drawn with Pillow."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_LINE = 15  # pixels
_GAP = 8  # pixels around a cell's contents


@dataclass(frozen=True)
class Line:
    """A line of text under a picture; it wraps.

    Args:
        text: what it says.
        colour: a colour name that Pillow knows.
    """

    text: str
    colour: str = "black"


def find_picture(observation: Any) -> np.ndarray | None:
    """The first picture, uint8 (H, W, 3) or (H, W), in a nested observation."""
    if isinstance(observation, np.ndarray):
        return observation if observation.dtype == np.uint8 and observation.ndim >= 2 else None
    return next((found for part in _parts(observation) if (found := find_picture(part)) is not None), None)


def find_texts(observation: Any) -> list[str]:
    """All texts in a nested observation."""
    if isinstance(observation, str):
        return [observation]
    return [text for part in _parts(observation) for text in find_texts(part)]


def _parts(observation: Any) -> list[Any]:
    if isinstance(observation, dict):
        return list(observation.values())
    return list(observation) if isinstance(observation, tuple) else []


def draw_grid(
    pictures: Sequence[np.ndarray], captions: Sequence[Sequence[Line]], columns: int = 4, side: int = 160
) -> np.ndarray:
    """Draws pictures in rows, each with its lines of text under it.

    Args:
        pictures: N arrays, uint8 (H, W, 3) or (H, W), of any size.
        captions: lines under each.
        columns: pictures in a row.
        side: to which the longer side of every picture is enlarged or reduced, in pixels.

    Returns:
        uint8 (height, width, 3).
    """
    font = ImageFont.load_default(size=12)
    letters = side // 7  # of this font in a line; a wide line is cut off by the next cell at worst
    wrapped = [[Line(row, line.colour) for line in lines for row in _wrap(line.text, letters)] for lines in captions]
    height = side + _LINE * max((len(lines) for lines in wrapped), default=0) + 2 * _GAP
    width = side + 2 * _GAP
    rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (width * min(columns, len(pictures)), height * rows), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (picture, lines) in enumerate(zip(pictures, wrapped, strict=True)):
        left, top = width * (index % columns) + _GAP, height * (index // columns) + _GAP
        sheet.paste(_resize(picture, side), (left, top))
        for number, line in enumerate(lines):
            draw.text((left, top + side + _LINE * number + 2), line.text, fill=line.colour, font=font)
    return np.asarray(sheet)


def _wrap(text: str, letters: int) -> list[str]:
    # A model may write anything: what cannot be printed, or would fill the sheet, is cut.
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return textwrap.wrap(printable, letters, max_lines=4, placeholder="...") or [""]


def _resize(picture: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(picture.squeeze()).convert("RGB")
    factor = side / max(image.size)
    width, height = (max(1, round(length * factor)) for length in image.size)
    # Enlarged pixels stay sharp, as the model sees them.
    return image.resize((width, height), Image.Resampling.NEAREST if factor > 1 else Image.Resampling.BILINEAR)
