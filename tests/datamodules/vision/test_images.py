"""Pictures as arrays."""

from pathlib import Path

import pytest

from datamodules.vision.captions import CaptionsDataModule
from datamodules.vision.emoji_catalogue import catalogue
from datamodules.vision.images import load, paint
from gato_lightning.errors import UserError


@pytest.fixture(scope="module")
def small() -> CaptionsDataModule:
    return CaptionsDataModule(image_size=32, views=1)


def test_transparent_parts_show_the_background():
    emoji = next(one for one in catalogue(skin_tones=False) if "grinning face" in one.names)
    picture = paint(load(emoji.path), 32, (10, 20, 30))
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[16, 16].tolist() != [10, 20, 30]
    small = paint(load(emoji.path), 32, (10, 20, 30), scale=0.5, place=(1.0, 1.0))
    assert (small[:16] == [10, 20, 30]).all()
    assert not (small[16:, 16:] == [10, 20, 30]).all()


def test_missing_and_broken_pictures_are_named(tmp_path: Path):
    (tmp_path / "broken.png").write_text("no picture")
    for name in ("missing.png", "broken.png"):
        with pytest.raises(UserError, match=name):
            load(tmp_path / name)
