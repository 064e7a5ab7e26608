"""The writer: images as the tasks resize them, and texts for them."""

import numpy as np
import pytest

from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Writer
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings


@pytest.fixture
def writer(tiny_model, text) -> Writer:
    return Writer(tiny_model, text, {"photos": ("captions", ImageSettings("crop", 32, 32))})


IMAGE = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


def test_a_caption_is_the_same_each_time_and_beside_others(writer):
    alone = writer.caption([IMAGE], DecodingSettings(4))
    assert writer.caption([IMAGE, IMAGE[:40]], DecodingSettings(4))[0] == alone[0]


def test_a_broken_image_is_named(writer, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.png: cannot be decoded"):
        writer.caption([tmp_path / "broken.png"], DecodingSettings(4))
