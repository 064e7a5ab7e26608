"""Image files of every kind come out as the picture that they show."""

import io
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings

SETTINGS = ImageSettings(height=32, width=48)
# Quarters of red, green, blue and grey.
QUARTERS = np.zeros((32, 48, 3), np.uint8)
QUARTERS[:16, :24], QUARTERS[:16, 24:], QUARTERS[16:, :24], QUARTERS[16:, 24:] = (255, 0, 0), (0, 255, 0), (0, 0, 255), 90
RGB = Image.fromarray(QUARTERS)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def transparent(mode: str) -> Image.Image:
    image = RGB.convert(mode)
    image.putalpha(Image.fromarray(np.where(np.arange(32)[:, None] < 16, 255, 0).repeat(48, 1).astype(np.uint8)))
    return image


def palette_with_transparency() -> bytes:
    image = RGB.quantize(4)
    return encoded(image, transparency=image.getpixel((47, 31)))


GREY = np.asarray(RGB.convert("L"))[:, :, None].repeat(3, 2)
BEHIND = np.where(np.arange(32)[:, None, None] < 16, QUARTERS, 0).astype(np.uint8)  # the lower half shows the background
SIXTEEN = Image.fromarray(np.asarray(RGB.convert("L")).astype(np.uint16) * 257)

KINDS = {
    "rgb": (encoded(RGB), QUARTERS),
    "grayscale": (encoded(RGB.convert("L")), GREY),
    "one bit": (encoded(Image.fromarray(np.eye(32, 48) > 0)), np.eye(32, 48, dtype=np.uint8)[:, :, None].repeat(3, 2) * 255),
    "palette": (encoded(RGB.quantize(4)), QUARTERS),
    "palette with a transparent colour": (palette_with_transparency(), np.where(QUARTERS == 90, 0, QUARTERS)),
    "alpha": (encoded(transparent("RGB")), BEHIND),
    "grayscale and alpha": (encoded(transparent("L")), np.where(np.arange(32)[:, None, None] < 16, GREY, 0)),
    "16 bits": (encoded(SIXTEEN), GREY),
    "16 bits in TIFF": (encoded(SIXTEEN, "TIFF"), GREY),
    "CMYK in TIFF": (encoded(RGB.convert("CMYK"), "TIFF"), QUARTERS),
    "GIF": (encoded(RGB.quantize(4), "GIF"), QUARTERS),
    "WebP": (encoded(RGB, "WEBP", lossless=True), QUARTERS),
    "BMP": (encoded(RGB, "BMP"), QUARTERS),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_shows_its_picture(kind: str):
    data, expected = KINDS[kind]
    image = SETTINGS.read(data, kind)
    assert (image.dtype, image.shape) == (np.uint8, (32, 48, 3))
    np.testing.assert_allclose(image.astype(int), expected.astype(int), atol=2)


def test_a_cmyk_jpeg_is_not_inverted():
    flat = Image.new("RGB", (64, 64), (200, 40, 90))
    image = SETTINGS.read(encoded(flat.convert("CMYK"), "JPEG", quality=95), "cmyk.jpg")
    np.testing.assert_allclose(image[16, 24].astype(int), [200, 40, 90], atol=12)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_photograph_is_upright(orientation: int):
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    as_stored = RGB.transpose(turns[orientation]) if orientation in turns else RGB
    exif = Image.Exif()
    exif[0x0112] = orientation
    np.testing.assert_array_equal(SETTINGS.read(encoded(as_stored, exif=exif), "turned.png"), QUARTERS)


@pytest.mark.parametrize("size", [(48, 32), (480, 320), (1999, 700), (20, 300), (7, 5), (1, 1)])
@pytest.mark.parametrize("resize", ["crop", "pad", "fit", "keep"])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_resized_image_has_the_size_and_the_colour_asked_for(size: tuple[int, int], resize: str, format: str):
    settings = ImageSettings(resize=resize, height=40, width=50)
    image = settings.read(encoded(Image.new("RGB", size, "orange"), format), "flat")
    width, height = size
    scale = min(50 / width, 40 / height)
    fitted = max(1, round(height * scale)), max(1, round(width * scale))
    expected = {"crop": (40, 50), "pad": (40, 50), "fit": fitted, "keep": (height, width)}[resize]
    np.testing.assert_allclose(image.shape, (*expected, 3), atol=1 if resize == "fit" else 0)
    assert settings.space().contains(image)
    np.testing.assert_allclose(image[image.shape[0] // 2, image.shape[1] // 2].astype(int), [255, 165, 0], atol=3)
    if resize != "pad":
        np.testing.assert_allclose(image[[0, -1]][:, [0, -1]].reshape(4, 3), [[255, 165, 0]] * 4, atol=3)


def test_padding_shows_the_whole_image_in_the_middle_and_the_background_around_it():
    image = ImageSettings(resize="pad", height=32, width=64, background="white").read(encoded(RGB.resize((32, 32))), "square")
    assert (image[:, :16] == 255).all()
    assert (image[:, 48:] == 255).all()
    assert image[2, 18].tolist() == [255, 0, 0]
    assert image[29, 18].tolist() == [0, 0, 255]


def test_cropping_cuts_off_both_sides_alike():
    stripes = np.zeros((32, 96, 3), np.uint8)
    stripes[:, 32:64] = 200
    image = ImageSettings(resize="crop", height=32, width=32).read(encoded(Image.fromarray(stripes)), "stripes")
    assert (image == 200).all()


def test_a_large_jpeg_decoded_at_a_part_of_its_size_looks_the_same():
    corners = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    large = Image.fromarray(corners).resize((1600, 1200), Image.Resampling.BICUBIC)
    small = SETTINGS.read(encoded(large, "JPEG", quality=95), "large.jpg")
    np.testing.assert_allclose(small.astype(int), SETTINGS.read(encoded(large), "large.png").astype(int), atol=8)


def test_an_image_bomb_is_refused_before_it_is_decoded():
    bomb = encoded(Image.new("1", (8_000, 8_000)))
    assert len(bomb) < 100_000
    with pytest.raises(UserError, match=r"image bomb\.png: 8000 x 8000 pixels, more than max_pixels \(50000000\)"):
        SETTINGS.read(bomb, "bomb.png")
    with pytest.raises(UserError, match=r"32 x 33 pixels, more than max_pixels \(1024\)"):
        ImageSettings(max_pixels=1024).read(encoded(Image.new("L", (32, 33))), "small.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.6])
def test_a_file_that_is_cut_short_is_refused(format: str, kept: float):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = encoded(noise, format)
    with pytest.raises(UserError, match=r"image short: cannot be decoded"):
        SETTINGS.read(data[: int(len(data) * kept)], "short")


def test_files_that_are_missing_or_of_no_known_range_are_named(tmp_path: Path):
    with pytest.raises(UserError, match=r"image .*none\.png: no such file"):
        SETTINGS.read(tmp_path / "none.png", str(tmp_path / "none.png"))
    with pytest.raises(UserError, match="real numbers without a known range"):
        SETTINGS.read(encoded(Image.fromarray(np.zeros((20, 20), np.float32)), "TIFF"), "real.tiff")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"height": 15}, "height: 15, expected a whole number, 16 or more"),
        ({"background": "nocolour"}, "images.background is 'nocolour'"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str):
    with pytest.raises(UserError, match=message):
        ImageSettings(**settings)


def test_no_format_is_read_that_another_program_would_decode(tmp_path):
    Image.new("RGB", (32, 32)).save(tmp_path / "drawing.jpg", "EPS")
    with pytest.raises(UserError, match="image drawing: cannot be decoded"):
        ImageSettings().read(tmp_path / "drawing.jpg", "drawing")


def test_what_is_no_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(UserError, match="image pipe: not a regular file"):
        ImageSettings().read(tmp_path / "pipe.png", "pipe")
