"""Data sets of Hugging Face."""

from pathlib import Path

import datasets
import pytest

from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import photograph, stored

IMAGES = ImageSettings(height=32, width=32)


def captions(data: CaptionFilesDataModule) -> list[str]:
    """Those of the held-out part."""
    return sorted(reference for references in data.generation().references for reference in references)


def test_a_data_set_of_hugging_face_is_read_by_its_columns(tmp_path: Path):
    paths = []
    for i in range(4):
        photograph(i).save(tmp_path / f"{i}.png")
        paths.append(str(tmp_path / f"{i}.png"))
    rows = {"photo": paths, "said": [[f"picture {i}", f"image {i}"] for i in range(4)]}
    table = datasets.Dataset.from_dict(rows).cast_column("photo", datasets.Image())
    datasets.DatasetDict({"train": table, "test": table.select(range(2))}).save_to_disk(str(tmp_path / "saved"))
    source = f"datasets:{tmp_path / 'saved'}"
    columns = {"image_column": "photo", "text_column": "said", "images": IMAGES}
    data = stored(CaptionFilesDataModule(source, f"{source}:test", **columns), tmp_path / "cache")
    assert data.stores["train"].num_timesteps == 8
    assert captions(data) == ["image 0", "image 1", "picture 0", "picture 1"]
    expected = IMAGES.read(tmp_path / "0.png", "expected")
    assert any((observation["image"] == expected).all() for observation in data.generation().observations)

    with pytest.raises(UserError, match="has no column 'text'; its columns are photo, said"):
        stored(CaptionFilesDataModule(source, source, image_column="photo", images=IMAGES), tmp_path / "cache")
    with pytest.raises(UserError, match=r"datasets:.*nothing: cannot be loaded"):
        stored(CaptionFilesDataModule(f"datasets:{tmp_path / 'nothing'}", images=IMAGES), tmp_path / "cache")
