"""Segments: every timestep is trained on, prompts come from another episode of the same source, in the stated shares."""

import numpy as np
import pytest

from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.store import EpisodeStore, write_store
from tests.gato_lightning.conftest import random_episodes

WIDTH = 4 + 3 + 1 + 2  # slots of a timestep of the test store


def test_every_timestep_is_equally_likely(store):
    sampler = SegmentSampler(store, 128, PromptSettings(probability=0.0), timesteps=3)
    segments = sampler.draw(np.random.default_rng(0), 20000)
    seen = np.zeros(store.num_timesteps)
    for start, stop in zip(segments.start, segments.stop, strict=True):
        seen[start:stop] += 1
    np.testing.assert_allclose(seen / seen.mean(), 1.0, atol=0.1)


def test_windows_stay_inside_their_episode_and_their_length(store):
    segments = SegmentSampler(store, 128, PromptSettings(), timesteps=4).draw(np.random.default_rng(0), 5000)
    episode = np.searchsorted(store.first_timestep, segments.start, side="right")
    assert (episode == np.searchsorted(store.first_timestep, segments.stop - 1, side="right")).all()
    assert (segments.stop - segments.start).max() == 4
    assert (segments.stop > segments.start).all()


def test_prompts(store):
    sampler = SegmentSampler(store, 128, PromptSettings(length=3 * WIDTH), timesteps=2)
    segments = sampler.draw(np.random.default_rng(0), 20000)
    prompted = segments.prompt_stop > segments.prompt_start
    assert prompted.mean() == pytest.approx(0.25, abs=0.02)
    start, stop = segments.prompt_start[prompted], segments.prompt_stop[prompted]
    of_prompt = np.searchsorted(store.first_timestep, start, side="right") - 1
    of_window = np.searchsorted(store.first_timestep, segments.start[prompted], side="right") - 1
    assert (of_prompt != of_window).all()
    assert (stop <= store.first_timestep[of_prompt + 1]).all()
    assert (stop - start).max() == 3
    # In the 9-timestep episode a uniform stretch of 3 ends at its end for 3 of 9 starts, a goal prompt always.
    long = of_prompt == 2
    at_end = stop[long] == store.first_timestep[3]
    assert at_end.mean() == pytest.approx(0.5 + 0.5 * 3 / 9, abs=0.04)
    assert (sampler.slots(segments) <= 128).all()


def test_prompts_are_of_the_same_source(tmp_path, image_tokenizer):
    episodes = [*random_episodes(image_tokenizer, [4, 4], "a"), *random_episodes(image_tokenizer, [4, 4, 4], "b")]
    write_store(tmp_path / "s", [episodes[i] for i in (0, 2, 1, 3, 4)], {})
    store = EpisodeStore(tmp_path / "s")
    segments = SegmentSampler(store, 128, PromptSettings(probability=1.0), 1).draw(np.random.default_rng(0), 2000)
    source = np.asarray(store.source)
    assert (source[segments.prompt_start // 4] == source[segments.start // 4]).all()
    assert (segments.prompt_start // 4 != segments.start // 4).all()


def test_a_lone_episode_gets_no_prompt(tmp_path, image_tokenizer):
    write_store(tmp_path / "s", random_episodes(image_tokenizer, [4]), {})
    sampler = SegmentSampler(EpisodeStore(tmp_path / "s"), 128, PromptSettings(probability=1.0), 1)
    segments = sampler.draw(np.random.default_rng(0), 100)
    assert (segments.prompt_stop == segments.prompt_start).all()


def test_no_prompt_where_it_does_not_fit(store):
    segments = SegmentSampler(store, 2 * WIDTH - 1, PromptSettings(probability=1.0), 1).draw(np.random.default_rng(0), 100)
    assert (segments.prompt_stop == segments.prompt_start).all()
