"""Pairs of images and texts: how they are split, and joined to episodes."""

from pathlib import Path

import numpy as np

from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import TOKENIZER, stored, write_coco

SMALL = ImageSettings(height=32, width=48)


def module(folder: Path, **settings: object) -> CaptionFilesDataModule:
    given = {"train": str(folder / "captions.json"), "image_folder": str(folder / "images"), "images": SMALL, **settings}
    return CaptionFilesDataModule(**given)  # type: ignore[arg-type]


def written(store) -> list[str]:
    """The captions of a store, in order."""
    ends = store.first_slot[1:] - 1
    starts = store.first_slot[:-1] + 7  # six patches and the separator
    return [TOKENIZER.decode(store.ids[a:b].tolist()) for a, b in zip(starts, ends, strict=True)]


def test_the_hash_splits_by_image_and_loses_none(tmp_path: Path):
    write_coco(tmp_path, images=30, captions=2)
    data = stored(module(tmp_path, held_out=0.3), tmp_path / "cache")
    sides = [{text.split(",")[0] for text in written(data.stores[split])} for split in ("train", "val")]
    assert not sides[0] & sides[1]
    assert len(sides[0] | sides[1]) == 30


def test_five_pairs_an_episode_are_of_different_images(tmp_path: Path):
    write_coco(tmp_path, images=12)
    data = stored(module(tmp_path, val=str(tmp_path / "captions.json"), pairs_per_episode=5), tmp_path / "cache")
    store = data.stores["train"]
    texts = written(store)
    assert np.diff(store.first_timestep).tolist() == [5] * 12
    groups = [texts[a : a + 5] for a in range(0, 60, 5)]
    different = [len({text.split(",")[0] for text in group}) for group in groups]
    assert sum(count == 5 for count in different) >= 9  # where one round of captions ends and the next begins it may be fewer
