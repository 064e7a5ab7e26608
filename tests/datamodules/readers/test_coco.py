"""COCO's annotation files: which are read, and which end the run."""

from pathlib import Path

import pytest

from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import photograph, stored, write_coco

SMALL = ImageSettings(height=32, width=48)


def module(folder: Path, **settings: object) -> CaptionFilesDataModule:
    given = {"train": str(folder / "captions.json"), "image_folder": str(folder / "images"), "images": SMALL, **settings}
    return CaptionFilesDataModule(**given)  # type: ignore[arg-type]


def test_a_link_cannot_lead_out_of_the_image_folder(tmp_path: Path):
    write_coco(tmp_path, images=2)
    photograph(0).save(tmp_path / "secret.jpg")
    (tmp_path / "images" / "1.jpg").unlink()
    (tmp_path / "images" / "1.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(UserError, match="leads out of the image folder"):
        stored(module(tmp_path, val=str(tmp_path / "captions.json")), tmp_path / "cache")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"images": [],\n "annotations": [}', r"captions\.json, line 2, column 18: not JSON"),
        (b'{"images": []}', r"captions\.json: expected an object with a list 'annotations'"),
        (b"[]", r"captions\.json: expected an object with a list 'images'"),
        (b'{"images": "caf\xe9"}', r"captions\.json: not UTF-8 at byte 15"),
        (None, r"captions\.json: no such file"),
    ],
)
def test_a_file_that_cannot_be_read_ends_the_run(tmp_path: Path, content: bytes | None, message: str):
    (tmp_path / "images").mkdir()
    if content is not None:
        (tmp_path / "captions.json").write_bytes(content)
    with pytest.raises(UserError, match=message):
        stored(module(tmp_path), tmp_path / "cache")
