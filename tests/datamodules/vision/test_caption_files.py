"""Captions from a COCO file: what is stored, what is held out, what is wrong with an entry."""

import json
import os
import re
from pathlib import Path

import pytest

from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import TOKENIZER, connected, photograph, stored, write_coco, write_json

SMALL = ImageSettings(height=32, width=48)


def module(folder: Path, **settings: object) -> CaptionFilesDataModule:
    given = {"train": str(folder / "captions.json"), "image_folder": str(folder / "images"), "images": SMALL, **settings}
    return CaptionFilesDataModule(**given)  # type: ignore[arg-type]


def written(store) -> list[str]:
    """The captions of a store, in order."""
    ends = store.first_slot[1:] - 1
    starts = store.first_slot[:-1] + 7  # six patches and the separator
    return [TOKENIZER.decode(store.ids[a:b].tolist()) for a, b in zip(starts, ends, strict=True)]


def test_every_caption_is_stored_with_its_image(tmp_path: Path):
    write_coco(tmp_path, images=4)
    write_coco(tmp_path, images=2, first=4, name="val.json")
    data = stored(module(tmp_path, val=str(tmp_path / "val.json")), tmp_path / "cache")
    train, val = data.stores["train"], data.stores["val"]
    assert sorted(written(train)) == [f"picture {i}, view {n}" for i in range(4) for n in range(5)]
    assert sorted(written(val)) == [f"picture {i}, view {n}" for i in (4, 5) for n in range(5)]
    assert len(train.patches) == 4 * 6  # five captions of an image share its patches


def test_the_cache_key_follows_the_file_the_images_settings_and_the_context(tmp_path: Path):
    path = write_coco(tmp_path, images=2)

    def key(context_length: int = 64, **settings: object) -> Path:
        return connected(module(tmp_path, **settings), tmp_path / "cache", context_length).folder("train")

    first = key()
    assert first == key(timesteps=3)
    assert len({first, key(images=ImageSettings(resize="pad")), key(pairs_per_episode=5), key(context_length=128)}) == 4
    os.utime(path, ns=(0, 0))
    assert key() != first


FAULTS = {
    "a truncated image": ("images/1.jpg", r"1\.jpg: cannot be decoded"),
    "no image at all": ("images/1.jpg", r"1\.jpg: cannot be decoded"),
    "a missing file": ("images/1.jpg", r"1\.jpg: no such file"),
    "an empty caption": ("annotations[5]", r"captions\.json, annotations\[5\]: the caption is empty"),
    "a caption that is no text": ("annotations[5]", r"annotations\[5\]: expected 'caption' of type str"),
    "an unknown image": ("annotations[5]", r"annotations\[5\]: there is no usable image 99"),
    "a name without type": ("images[1]", r"images\[1\]: expected 'file_name' of type str"),
    "a way out": ("images[1]", r"images\[1\]: image '\.\./secret\.jpg' leads out of the image folder"),
    "a way from the root": ("images[1]", r"images\[1\]: image '/secret\.jpg' leads out of the image folder"),
    "an image bomb": ("images/1.jpg", r"1\.jpg: 3000 x 3000 pixels, more than max_pixels"),
    "a long caption": ("annotations[5]", r"1\.jpg, text 0: a timestep of \d+ tokens is longer than the context of 64"),
}


def spoil(folder: Path, fault: str) -> None:
    image, path = folder / "images" / "1.jpg", folder / "captions.json"
    content = json.loads(path.read_text())
    entry, row = content["images"][1], content["annotations"][5]
    match fault:
        case "a truncated image":
            image.write_bytes(image.read_bytes()[:700])
        case "no image at all":
            image.write_text("no image")
        case "a missing file":
            image.unlink()
        case "an image bomb":
            photograph(0, 3000, 3000).save(image)
        case "a way out" | "a way from the root":
            photograph(0).save(folder / "secret.jpg")
            entry["file_name"] = "../secret.jpg" if fault == "a way out" else "/secret.jpg"
        case "a name without type":
            entry["file_name"] = 7
        case "an unknown image":
            row["image_id"] = 99
        case _:
            row["caption"] = {"an empty caption": " \n", "a caption that is no text": 7, "a long caption": "long " * 99}[fault]
    write_json(path, content)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_skipped_within_the_share_and_ends_the_run_beyond_it(tmp_path: Path, fault: str):
    write_coco(tmp_path, images=20)
    write_coco(tmp_path, images=2, first=20, name="val.json")
    spoil(tmp_path, fault)
    images = ImageSettings(height=32, width=48, max_pixels=1_000_000)
    settings = {"val": str(tmp_path / "val.json"), "images": images}
    with pytest.raises(UserError, match=r"task pictures: [1-9]\d* of 10[0-5] train examples are faulty.*" + FAULTS[fault][1]):
        stored(module(tmp_path, max_faults=0.0, **settings), tmp_path / "cache")

    data = stored(module(tmp_path, max_faults=0.1, **settings), tmp_path / "cache")
    lost = 100 - data.stores["train"].num_timesteps
    assert lost == (1 if FAULTS[fault][0] == "annotations[5]" else 5)
    (listing,) = (tmp_path / "cache").glob(f"{data.folder('train').name}.faults.txt")
    assert re.search(FAULTS[fault][1], listing.read_text())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"held_out": 0.0}, "held_out: 0.0"),
        ({"max_faults": 1.0}, "max_faults: 1.0"),
        ({"pairs_per_episode": 0}, "pairs_per_episode: 0"),
        ({"image_folder": "nowhere"}, "image folder nowhere: no such folder"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, settings: dict, message: str):
    write_coco(tmp_path, images=2)
    with pytest.raises(UserError, match=message):
        stored(module(tmp_path, **settings), tmp_path / "cache")


def test_flickr8k_mini_is_read_whole(tmp_path: Path, flickr8k_mini: Path):
    given = {name: str(flickr8k_mini / f"captions_{name}.json") for name in ("train", "val")}
    data = CaptionFilesDataModule(**given, image_folder=str(flickr8k_mini / "images"), pairs_per_episode=5, max_faults=0.0)
    stored(data, tmp_path, context_length=256)
    assert data.stores["train"].num_timesteps == 1600
    assert len(data.generation().observations) == 80
    assert all(len(references) == 5 for references in data.generation().references)
