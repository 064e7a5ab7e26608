"""Loads images and paints them as uint8 arrays."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from gato_lightning.errors import UserError

PATCH = 16  # Gato, section 2.1: pictures are cut into patches of 16x16 pixels


def load(path: Path) -> Image.Image:
    """Loads an image with its transparency.

    Raises:
        UserError: if the file is missing or is not an image.
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
    """Paints an image on a square of one colour.

    Args:
        picture: RGBA image; its transparent parts show the background.
        size: side of the square in pixels.
        background: RGB values in [0, 255].
        scale: side of the image as a share of the square's side, in (0, 1].
        place: position of the image in the free space, horizontal (0 is left) and vertical (0 is top), each in [0, 1].

    Returns:
        Array of shape (size, size, 3), uint8.
    """
    side = max(1, round(size * scale))
    small = picture.resize((side, side), Image.Resampling.BILINEAR)
    square = Image.new("RGB", (size, size), background)
    # The image's own alpha channel is the mask, so that soft edges blend into the background.
    left, top = (round((size - side) * share) for share in place)
    square.paste(small, (left, top), small)
    return np.asarray(square)
