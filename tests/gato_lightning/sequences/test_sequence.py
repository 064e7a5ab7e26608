"""Sequences: pure functions of (seed, i), packed whole, and laid into the batch that the model's contract describes."""

import numpy as np
import pytest
from gymnasium import spaces

from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker, collate, ranges
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

WIDTH = 10  # slots of a timestep of the test store
CONTEXT = 128


@pytest.fixture
def packer(store):
    samplers = [SegmentSampler(store, CONTEXT, PromptSettings(length=20), timesteps) for timesteps in (1, None)]
    return SequencePacker(samplers, np.array([3.0, 1.0]), CONTEXT, seed=7)


def test_ranges():
    assert ranges(np.array([5, 0, 9]), np.array([2, 0, 3])).tolist() == [5, 6, 9, 10, 11]


def test_sequence_i_depends_on_seed_and_i_alone(packer, store):
    again = SequencePacker(packer.samplers, np.array([3.0, 1.0]), CONTEXT, seed=7)
    other = SequencePacker(packer.samplers, np.array([3.0, 1.0]), CONTEXT, seed=8)
    again(3)
    first, second, different = (np.concatenate([part.ids for part in one(11)]) for one in (packer, again, other))
    np.testing.assert_array_equal(first, second)
    assert len(first) != len(different) or (first != different).any()


def test_contexts_are_filled_with_whole_timesteps(packer):
    for index in range(200):
        used = sum(len(part.ids) for part in packer(index))
        assert used == CONTEXT // WIDTH * WIDTH


def test_weights_are_shares_of_sequences(packer):
    opened = np.array([packer(index)[0].task[0] for index in range(2000)])
    assert (opened == 0).mean() == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("observed_text_loss", [True, False])
def test_observed_text_is_predicted_if_asked_for(tmp_path, text, observed_text_loss):
    tokenizer = TimestepTokenizer(spaces.Text(100), spaces.Text(100), Vocabulary(), text)
    steps = tokenizer.encode_episode(Episode(["what is it?"] * 3, ["a cat"] * 3, np.zeros(3), "expert"))
    write_store(tmp_path / "asked", [TokenEpisode(steps, 0.0, "expert")], {})
    sampler = SegmentSampler(EpisodeStore(tmp_path / "asked"), CONTEXT, PromptSettings(probability=0.0))
    packed = SequencePacker([sampler], np.ones(1), CONTEXT, 0, observed_text_loss)
    batch = collate([packed(0)], CONTEXT, Vocabulary())
    kinds = set(batch.kinds.flatten()[batch.targets].tolist())
    assert kinds == ({Kind.TEXT, Kind.ACTION_TEXT} if observed_text_loss else {Kind.ACTION_TEXT})


def test_batch(packer, store):
    sequences = [packer(index) for index in range(6)]
    batch = collate(sequences, CONTEXT, Vocabulary())
    empty = batch.segment == 0
    assert (batch.kinds[empty] == Kind.PADDING).all()
    assert (batch.ids[empty] == Vocabulary().padding).all()
    # Positions count from 0 in every segment, without a gap.
    for row, segment in zip(batch.position, batch.segment, strict=True):
        for one in segment[segment > 0].unique():
            assert row[segment == one].tolist() == list(range(int((segment == one).sum())))
    # A quarter, more or less, of the segments are prompted.
    assert 0 < batch.num_prompted < batch.num_segments
    # Targets are the actions (here no text is observed), none of them the first slot of a segment.
    flat = batch.kinds.flatten()
    assert set(flat[batch.targets].tolist()) == {int(Kind.ACTION_DISCRETE)}
    assert len(batch.targets) == int((flat == Kind.ACTION_DISCRETE).sum())
    # Patches are those of the store's timesteps, each distinct one once.
    assert (flat[batch.patch_slots] == Kind.PATCH).all()
    assert len(batch.patch_slots) == len(batch.patch_index) == len(batch.patch_intervals)
    assert len(np.unique(batch.patches.numpy().reshape(len(batch.patches), -1), axis=0)) == len(batch.patches)
    first = batch.patches[batch.patch_index[0]].numpy()
    assert (first == 7).all()


def test_loss_on_prompts_is_a_setting(store):
    def targets(loss: bool) -> int:
        sampler = SegmentSampler(store, CONTEXT, PromptSettings(probability=1.0, length=20, loss=loss), 1)
        packer = SequencePacker([sampler], np.ones(1), CONTEXT, 0)
        batch = collate([packer(i) for i in range(4)], CONTEXT, Vocabulary())
        return len(batch.targets), batch.num_timesteps, batch.num_segments

    with_loss, timesteps, segments = targets(True)
    assert with_loss == 2 * timesteps
    without, _, same = targets(False)
    assert same == segments
    assert without == 2 * segments  # one window timestep a segment, two action tokens
