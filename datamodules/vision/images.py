"""Pictures as uint8 arrays."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gato_lightning.errors import UserError

PATCH = 16  # Gato, section 2.1: pictures are cut into patches of 16x16 pixels


def load(path: Path) -> Image.Image:
    """Reads a picture with its transparency.

    Raises:
        UserError: the file is missing or is no picture.
    """
    try:
        with Image.open(path) as picture:
            return picture.convert("RGBA")
    except FileNotFoundError as error:
        raise UserError(f"picture {path}: no such file") from error
    except UnidentifiedImageError as error:
        raise UserError(f"picture {path}: not a picture that Pillow can read") from error


def paint(
    picture: Image.Image,
    size: int,
    background: tuple[int, int, int],
    scale: float = 1.0,
    place: tuple[float, float] = (0.5, 0.5),
) -> np.ndarray:
    """Paints a picture on a plain square.

    Args:
        picture: RGBA; its transparent parts show the background.
        size: side of the square, in pixels.
        background: channels in [0, 255].
        scale: side of the picture as a share of the square's, in (0, 1].
        place: where the picture stands in the room that is left, left to right and top to bottom, each in [0, 1].

    Returns:
        uint8 (size, size, 3).
    """
    side = max(1, round(size * scale))
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (size, size), background)
    # The picture's own alpha is the mask, so that its soft edges blend into the background.
    left, top = (round((size - side) * share) for share in place)
    square.paste(small, (left, top), small)
    return np.asarray(square)
