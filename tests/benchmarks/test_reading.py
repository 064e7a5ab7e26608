"""Reading: all sides make the same patches and ids of the same files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import reading
from benchmarks.harness import markdown
from datamodules.text.plain_text import TextDataModule, split_text
from gato_lightning.tokens.vocabulary import Kind

pytestmark = pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities:DeprecationWarning")

CAPTIONS = ["a dog jumps over a fence", "two boats at sea", "nobody is on the beach"]
PROSE = [f"Chapter {i}.\n\n" + f"    word{i} of  prose, and a line of it that says {i}.\n" * (12 * i + 1) for i in range(4)]


def difference(ours: np.ndarray, theirs: torch.Tensor) -> np.ndarray:
    """Levels of 255, of each value."""
    assert ours.dtype == np.uint8
    assert ours.shape == theirs.shape
    return np.abs(ours.astype(int) - theirs.numpy())


def test_photographs_are_as_large_as_photographs_and_follow_from_the_seed():
    assert 50_000 < len(reading.photograph(0)) < 200_000
    assert reading.photograph(0) == reading.photograph(0) != reading.photograph(1)


def test_all_sides_make_the_same_patches(tmp_path: Path):
    paths = reading.write_images(tmp_path, 2)
    for square, patches in ((224, 196), (64, 16)):
        ours, *theirs = (side() for side in reading.image_sides(paths, square).values())
        assert len(theirs) == 2
        for peer in theirs:
            off = np.stack([difference(*pair) for pair in zip(ours, peer, strict=True)])
            assert off.shape == (2, patches, 16, 16, 3)
            # A decoder may round differently; at 64 pixels ours decodes at half the size.
            assert off.max() <= (2 if square == 224 else 6)
            assert off.mean() < (0.05 if square == 224 else 1)


def test_all_sides_make_the_same_ids():
    tokenizer = reading.work.text_tokenizer()
    ours, table, stream = (
        side() for side in reading.text_sides(lambda: reading.our_ids(tokenizer, PROSE), PROSE, None).values()
    )
    assert ours == table["ids"] == stream
    assert [tokenizer.decode(ids) for ids in ours] == PROSE


def test_pieces_of_documents_have_the_same_text(tmp_path: Path):
    for i, text in enumerate(PROSE):
        (tmp_path / f"{i}.txt").write_text(text)
    task = TextDataModule((str(tmp_path),), piece_tokens=64, held_out=0.01)
    reading.connect(task, tmp_path)
    ours, table, stream = (side() for side in reading.text_sides(lambda: reading.our_episodes(task), PROSE, 64).values())
    assert table["ids"] == stream
    assert max(map(len, stream)) == 64
    decode, texts = task.text_tokenizer.decode, [split_text(text, task.text_tokenizer, 64) for text in PROSE]
    ids = [one.timesteps.ids[1:-1].tolist() for one in ours]
    assert [decode(piece) for piece in ids] == [piece for pieces in texts for piece in pieces]
    assert "".join("".join(map(decode, ids)).split()) == "".join("".join(map(decode, stream)).split())


@pytest.mark.parametrize("square", reading.SQUARES)
def test_all_sides_read_the_same_shards(tmp_path: Path, square: int):
    images = reading.write_images(tmp_path, len(CAPTIONS))
    shards = reading.write_shards(tmp_path, images, CAPTIONS)
    ours, *theirs = (side() for side in reading.shard_sides(shards, square, tmp_path).values())
    files = reading.our_patches([images[0], images[2], images[1]], square)  # the shards take turns
    for peer in theirs:
        for file, episode, (patches, ids) in zip(files, ours, peer, strict=True):
            steps = episode.timesteps
            np.testing.assert_array_equal(steps.patches[steps.patch_index], file)
            assert difference(file, patches).mean() < 1
            assert steps.ids[np.array(steps.layouts[0].kinds) == Kind.ACTION_TEXT].tolist() == ids


def test_every_side_is_measured(tmp_path: Path):
    (tmp_path / "prose.txt").write_text("\n".join(PROSE))
    found = [row for table in reading.tables(str(tmp_path), 2, seconds=0.0) for row in table]
    assert len(found) == 6 * 3
    assert all(row.seconds and row.extra["MB/s"] for row in found)
    assert "### Reading, images of shards" in markdown(found)
