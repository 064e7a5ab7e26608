"""Held-out images, for which text is written."""

from pathlib import Path

import numpy as np

from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import stored, write_coco

SMALL = ImageSettings(height=32, width=48)


def module(folder: Path, **settings: object) -> CaptionFilesDataModule:
    given = {"train": str(folder / "captions.json"), "image_folder": str(folder / "images"), "images": SMALL, **settings}
    return CaptionFilesDataModule(**given)  # type: ignore[arg-type]


def test_held_out_images_come_with_all_their_captions_and_what_the_model_sees(tmp_path: Path):
    write_coco(tmp_path, images=3)
    write_coco(tmp_path, images=3, first=3, name="val.json")
    data = stored(
        module(tmp_path, val=str(tmp_path / "val.json"), images=ImageSettings(height=40, width=56)), tmp_path / "cache"
    )
    task = data.generation()
    assert task.kind == "caption"
    assert len(task.observations) == 3
    for observation, references in zip(task.observations, task.references, strict=True):
        number = references[0].split(",")[0].removeprefix("picture ")
        assert list(references) == [f"picture {number}, view {n}" for n in range(5)]
        expected = data.images.read(tmp_path / "images" / f"{number}.jpg", "expected")
        np.testing.assert_array_equal(observation["image"], expected)
        assert data.observation_space.contains(observation)
    assert len(task.observations[:2]) == 2
