"""Streamed shards: each read once a pass by one reader, the same on every run, faults found on the way."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.base.stream import PartStream, Readers, task_sampler
from datamodules.mixture import MixtureDataModule, TaskSpec
from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.sequences.segments import PromptSettings
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.vocabulary import NUM_TEXT
from tests.datamodules.readers.test_shards import sample, write_shard, write_shards
from tests.datamodules.test_mixture import running
from tests.datamodules.vision_files import TOKENIZER, stored

IMAGES = ImageSettings(height=32, width=32)
NONE = PromptSettings(probability=0.0)


def module(source: str, val: str, **settings: object) -> CaptionFilesDataModule:
    return CaptionFilesDataModule(source, val, images=IMAGES, sequences_per_part=3, **settings)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Five shards of two pictures each, and the first of them to hold out."""
    folder = tmp_path_factory.mktemp("shards")
    return write_shards(folder, shards=5, each=2), str(folder / "00000.tar")


def numbers(sampler) -> set[int]:
    """Which pictures a sampler can draw."""
    store = sampler.store
    steps = (np.asarray(store.ids[a:b]) for a, b in zip(store.first_slot, store.first_slot[1:], strict=False))
    texts = [TOKENIZER.decode(ids[ids < NUM_TEXT].tolist()) for ids in steps]
    return {int(text.split("picture ")[1]) for text in texts}


def test_every_part_is_read_once_a_pass_by_one_reader(tmp_path: Path, shards: tuple[str, str]):
    data = stored(module(*shards), tmp_path / "cache")
    assert set(data.stores) == {"val"}
    readers = Readers(count=2, batch_size=3)
    stream = task_sampler(data, "train", NONE, readers)
    assert isinstance(stream, PartStream)
    seen = []
    for turn in range(10):  # three sequences a batch and three a part: a new part with every batch of a reader
        for reader in range(2):
            first = (turn * 2 + reader) * 3
            drawn = [numbers(stream.at(index)) for index in range(first, first + 3)]
            assert drawn[0] == drawn[1] == drawn[2]
            seen.append(min(drawn[0]) // 2)
    for begin in range(0, 20, 5):
        assert sorted(seen[begin : begin + 5]) == [0, 1, 2, 3, 4]
    assert len({tuple(seen[begin : begin + 5]) for begin in range(0, 20, 5)}) > 1


def test_a_stream_that_begins_in_the_middle_goes_on_as_one_that_came_there(tmp_path: Path, shards: tuple[str, str]):
    data = stored(module(*shards), tmp_path / "cache")
    through, late = (task_sampler(data, "train", NONE, Readers(1, 2)) for _ in range(2))
    seen = [numbers(through.at(index)) for index in range(17)]
    assert numbers(late.at(16)) == seen[16]
    segments = [one.at(16).draw(np.random.default_rng(0), 4) for one in (through, late)]
    np.testing.assert_array_equal(segments[0].start, segments[1].start)


def test_a_stream_that_goes_on_with_other_readers_reads_a_part_for_a_batch_and_says_so(tmp_path, shards, caplog):
    """Four sequences in batches of two, then batches of three, which begin amid the old ones."""
    data = MixtureDataModule(
        {"pictures": TaskSpec(module(*shards))}, batch_size=3, context_length=64, cache_dir=str(tmp_path), workers=1
    )
    data.prepare_data()
    data.setup("fit")
    data.load_state_dict({"step": 2, "sequences": 4, "readers": [1, 2]})
    data.trainer = running(2, 1)  # type: ignore[assignment]
    batches = list(data.train_dataloader().batch_sampler)
    stream = data.packer("train").samplers[0]
    data.trainer = None
    assert batches[0] == [4, 5, 6]
    for batch in batches[:4]:  # three sequences a part
        assert len({frozenset(numbers(stream.at(index))) for index in batch}) == 1
    assert "streamed tasks (pictures): resumed with other ranks, loader workers or sequences a batch" in caplog.text


@pytest.mark.parametrize("loader_workers", [0, 2])
def test_a_mixture_streams_with_and_without_workers(tmp_path: Path, shards: tuple[str, str], loader_workers: int):
    data = MixtureDataModule(
        {"pictures": TaskSpec(module(*shards))},
        batch_size=2,
        context_length=64,
        cache_dir=str(tmp_path / "cache"),
        workers=1,
        loader_workers=loader_workers,
        val_sequences=2,
    )
    data.prepare_data()
    data.setup("fit")
    assert data.mixture_table(4)[0]["episodes"] == "streamed"
    packer = data.packer("train")
    expected = [np.concatenate([part.ids for part in packer(index)]) for index in range(8)]

    class Running:
        global_step, accumulate_grad_batches, max_steps, global_rank, world_size = 0, 1, 4, 0, 1

    data.trainer = Running()  # type: ignore[assignment]
    batches = list(data.train_dataloader())
    data.trainer = None
    made = [row[row != data.vocabulary.padding] for batch in batches for row in batch.ids.numpy()]
    for ids, wanted in zip(made, expected, strict=True):
        np.testing.assert_array_equal(ids, wanted[wanted != data.vocabulary.padding])


def test_faults_in_a_part_end_the_run_when_they_are_too_many(tmp_path: Path, shards: tuple[str, str]):
    parts = {f"k{i}": sample(i) for i in range(4)}
    parts["k3"]["jpg"] = b"no image"
    source = str(write_shard(tmp_path / "s.tar", parts))
    data = stored(module(source, shards[1]), tmp_path / "cache")
    with pytest.raises(
        UserError, match=r"task pictures: 1 of 4 train \(part 0\) examples are faulty.*s\.tar/k3: cannot be decoded"
    ):
        task_sampler(data, "train", NONE).at(0)
    data = stored(module(source, shards[1], max_faults=0.5), tmp_path / "cache")
    assert numbers(task_sampler(data, "train", NONE).at(0)) == {0, 1, 2}


def test_wrong_settings_are_named():
    with pytest.raises(UserError, match="sequences_per_part: 0, expected a whole number, 1 or more"):
        CaptionFilesDataModule("s.tar", sequences_per_part=0)
