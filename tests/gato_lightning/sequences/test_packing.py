"""Contexts: every timestep of a task is equally likely to be in a window, whatever is cut to make them full."""

from pathlib import Path

import numpy as np
import pytest

from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.tokens.timestep import Layout, TokenTimesteps
from gato_lightning.tokens.vocabulary import Kind

NO_PROMPTS, PROMPTS = PromptSettings(probability=0.0), PromptSettings(loss=False)


def make_store(folder: Path, episodes: list[list[int]]) -> EpisodeStore:
    """Timesteps of the given widths, whose action is their number."""
    widths = sorted({width for episode in episodes for width in episode})
    layouts = tuple(Layout((*(width - 2) * [Kind.TEXT], Kind.SEPARATOR, Kind.ACTION_DISCRETE), ()) for width in widths)
    made, number = [], 0
    for episode in episodes:
        ids = np.zeros(sum(episode), np.uint16)
        ids[np.cumsum(episode) - 1] = number + np.arange(len(episode))
        layout = np.array([widths.index(width) for width in episode])
        steps = TokenTimesteps(ids, layouts, layout, np.empty((0, 16, 16, 3), np.uint8), np.empty(0, np.int64))
        made.append(TokenEpisode(steps, 0.0, "made up"))
        number += len(episode)
    write_store(folder, made, {})
    return EpisodeStore(folder)


def occurrences(packer: SequencePacker, store: EpisodeStore, sequences: int, task: int = 0) -> tuple[np.ndarray, float]:
    """How often each timestep is in a window, over the mean, and the share of the slots that are empty."""
    seen, used = np.zeros(store.num_timesteps), 0
    for index in range(sequences):
        for part in packer(index):
            used += len(part.ids)
            if part.task[0] == task:
                counted = part.ids[(part.kinds == Kind.ACTION_DISCRETE) & part.loss_mask]
                seen += np.bincount(counted, minlength=len(seen))
    assert used <= sequences * packer.context_length
    return seen / seen.mean(), 1.0 - used / (sequences * packer.context_length)


# Widths of the timesteps of each episode, context, most timesteps of a window, share of the slots that may be empty.
STORES = {
    "longer than the context": ([[44] * 25], 1024, None, 0.02),
    "much longer than the context": ([[4] * 40, [4] * 25], 64, None, 0.0),
    "several timesteps at most": ([[10] * n for n in (5, 1, 9, 3)], 120, 3, 0.0),
    "one timestep": ([[10] * n for n in (5, 1, 9, 3)], 120, 1, 0.0),
    "a short turn first": ([[4, 45, 30, 60, 25, 38, 52], [4, 22, 57, 33, 41, 28, 35]], 400, None, 0.06),
    "a short turn among many": ([[40, 60, 4, 50, 30, 55, 45, 35, 60, 40, 30, 50]] * 2, 256, None, 0.12),
    "uneven, one timestep": ([[5, 31, 17, 44, 58], [26, 9, 52, 38, 13, 47]], 300, 1, 0.06),
    "half as wide as the context": ([[5, 5, 120, 5], [5, 120, 5, 5, 5]], 256, None, 0.25),
    "as wide as the context": ([[64]] * 3 + [[20], [40]], 64, None, 0.25),
}


@pytest.mark.parametrize("prompts", [NO_PROMPTS, PROMPTS], ids=["no prompts", "prompts"])
@pytest.mark.parametrize("shape", STORES)
def test_every_timestep_is_equally_likely(tmp_path, shape, prompts):
    episodes, context, timesteps, empty = STORES[shape]
    store = make_store(tmp_path / "s", episodes)
    sampler = SegmentSampler(store, context, prompts, timesteps)
    drawn = sampler.draw(np.random.default_rng(0), 20_000)
    begun, ended = (np.bincount(ends, minlength=store.num_timesteps + 1) for ends in (drawn.start, drawn.stop))
    seen = np.cumsum(begun - ended)[:-1]
    np.testing.assert_allclose(seen / seen.mean(), 1.0, atol=0.1)
    sequences = int(2000 * store.num_slots / context)  # each timestep is seen 2000 times, give or take 2%
    seen, padding = occurrences(SequencePacker([sampler], np.ones(1), context, 0), store, sequences)
    np.testing.assert_allclose(seen, 1.0, atol=0.1)
    assert padding <= empty + context % store.narrowest / context + 1e-9


def test_what_other_tasks_leave_is_filled_evenly(tmp_path):
    """A task that fills contexts: its wide timesteps are not left out, and where any would fit nothing stays empty."""
    wide = make_store(tmp_path / "wide", [[90] * 5] * 2)
    narrow = make_store(tmp_path / "narrow", [[4, 9, 16, 4], [12, 4, 8, 20]])
    samplers = [SegmentSampler(store, 256, NO_PROMPTS) for store in (wide, narrow)]
    packer = SequencePacker(samplers, np.array([1.0, 1e-9]), 256, 0)
    seen, padding = occurrences(packer, narrow, 2000, task=1)
    np.testing.assert_allclose(seen, 1.0, atol=0.1)
    assert padding < 20 / 256


def test_prompts_get_shorter_where_they_do_not_fit(tmp_path):
    """Windows of one timestep fill the context to the last one that fits, and about a quarter of them is prompted."""
    store = make_store(tmp_path / "s", [[8] * 30] * 3)
    packer = SequencePacker([SegmentSampler(store, 256, PromptSettings(), 1)], np.ones(1), 256, 0)
    made = [part for index in range(500) for part in packer(index)]
    assert sum(len(part.ids) for part in made) == 500 * 256
    assert sum(part.num_prompted for part in made) / sum(part.num_segments for part in made) == pytest.approx(0.25, abs=0.02)


def test_contexts_are_full_where_wide_windows_are_rare(tmp_path):
    """The mean width says little of a row here: most rows hold no wide window at all."""
    store = make_store(tmp_path / "s", [[250]] * 3 + [[4]] * 600)
    packer = SequencePacker([SegmentSampler(store, 256, NO_PROMPTS)], np.ones(1), 256, 0)
    used = [sum(len(part.ids) for part in packer(index)) for index in range(300)]
    assert np.mean(used) > 0.9 * 256
