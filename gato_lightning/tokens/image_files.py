"""Image files of any kind as arrays of one kind: uint8, RGB, upright, opaque."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from gymnasium import Space, spaces
from PIL import Image, ImageColor, ImageOps

from gato_lightning.common.settings import PositiveInt, Range, check_settings
from gato_lightning.errors import UserError
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.patches import PATCH

# What Pillow decodes itself, by its names. Left out are formats that it hands to other programs, such as EPS to Ghostscript.
Image.init()  # makes all formats known of this installation
FORMATS = tuple({"AVIF", "BMP", "DIB", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP"} & {*Image.OPEN})


def colour(setting: str, name: str) -> tuple[int, int, int]:
    """The colour that Pillow knows by this name, channels in [0, 255].

    Raises:
        UserError: Pillow knows no such colour.
    """
    try:
        red, green, blue = ImageColor.getrgb(name)[:3]
    except ValueError as error:
        raise UserError(f"{setting} is '{name}'; expected a colour name such as 'lightgrey' or '#e0e0e0'") from error
    return red, green, blue


@dataclass(frozen=True)
class ImageSettings:
    """How image files become arrays.

    Args:
        resize: `crop` fills height x width and cuts off what stands out on both sides; `pad` shows the whole image in the
            middle of height x width, with background around it; `fit` makes it as large as height x width allows, with nothing
            around it; `keep` changes nothing. With the first two all images have one size, with the others each has its own.
            Sides that are no multiple of 16 are padded with black at the bottom and the right when cut into patches.
        height: in pixels, 16 or more; `keep` ignores it.
        width: in pixels, 16 or more; `keep` ignores it.
        background: colour behind what is transparent and around what is padded, a name or `#rrggbb`.
        max_pixels: an image of more pixels than this, 1 or more, is refused before it is decoded.
    """

    resize: Literal["crop", "pad", "fit", "keep"] = "crop"
    height: Annotated[int, Range(least=PATCH)] = 64
    width: Annotated[int, Range(least=PATCH)] = 64
    background: str = "black"
    max_pixels: PositiveInt = 50_000_000

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
        colour("images.background", self.background)

    def space(self) -> Space:
        """The space of the images."""
        return AnyImage() if self.resize in ("fit", "keep") else spaces.Box(0, 255, (self.height, self.width, 3), np.uint8)

    def read(self, file: Path | bytes, name: str) -> np.ndarray:
        """Reads one image.

        Args:
            file: where it lies, or what is in it.
            name: for messages.

        Returns:
            uint8 (H, W, 3).

        Raises:
            UserError: it is missing, cannot be decoded or has too many pixels; names it.
        """
        try:
            if isinstance(file, Path) and file.exists() and not file.is_file():
                raise UserError(f"image {name}: not a regular file")
            with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file, formats=FORMATS) as image:
                width, height = image.size
                if width * height > self.max_pixels:
                    raise UserError(f"image {name}: {width} x {height} pixels, more than max_pixels ({self.max_pixels})")
                if self.resize != "keep":
                    # A JPEG decodes at a half, a quarter or an eighth of its size at less cost; twice of what is needed is
                    # left for the resampling. The image may yet be turned, so that either side may become the width.
                    needed = 2 * max(self.width, self.height) / min(width, height)
                    image.draft(None, (int(width * needed) + 1, int(height * needed) + 1))
                ImageOps.exif_transpose(image, in_place=True)
                return self.convert(image)
        except UserError:
            raise
        except FileNotFoundError as error:
            raise UserError(f"image {name}: no such file") from error
        except Exception as error:  # decoders raise whatever broken bytes lead them to
            raise UserError(f"image {name}: cannot be decoded ({error})") from error

    def convert(self, image: Image.Image) -> np.ndarray:
        """An image that is open already, as uint8 (H, W, 3).

        Raises:
            ValueError: its values are real numbers.
        """
        return np.asarray(self._resize(self._as_rgb(image)))

    def _as_rgb(self, image: Image.Image) -> Image.Image:
        if image.mode == "F":
            raise ValueError("real numbers without a known range")
        if image.mode.startswith("I"):  # 16 bits a pixel, read into 16 or 32
            image = Image.fromarray(np.rint(np.asarray(image).clip(0, 65535) / 257).astype(np.uint8))
        if not image.has_transparency_data:
            return image if image.mode == "RGB" else image.convert("RGB")  # which would copy it
        back = Image.new("RGBA", image.size, (*colour("images.background", self.background), 255))
        return Image.alpha_composite(back, image.convert("RGBA")).convert("RGB")

    def _resize(self, image: Image.Image) -> Image.Image:
        size, method = (self.width, self.height), Image.Resampling.BILINEAR
        if self.resize == "crop":
            return ImageOps.fit(image, size, method)
        if self.resize == "pad":
            return ImageOps.pad(image, size, method, color=colour("images.background", self.background))
        return ImageOps.contain(image, size, method) if self.resize == "fit" else image
