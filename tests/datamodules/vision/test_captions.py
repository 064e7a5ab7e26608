from pathlib import Path

import numpy as np
import pytest

from datamodules.vision.captions import CaptionsDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary


def episodes(module: CaptionsDataModule, split: str) -> list:
    return [episode for job in module.jobs(split) for episode in job()]


@pytest.fixture(scope="module")
def small() -> CaptionsDataModule:
    return CaptionsDataModule(image_size=32, views=1)


@pytest.mark.parametrize("skin_tones", [False, True])
def test_no_concept_and_no_picture_stands_on_both_sides_of_the_split(skin_tones: bool):
    module = CaptionsDataModule(skin_tones=skin_tones)
    train, held_out = module._emoji("train"), module._emoji("val")
    assert not {one.concept for one in train} & {one.concept for one in held_out}
    concepts = {one.concept for one in (*train, *held_out)}
    assert 0.07 < len({one.concept for one in held_out}) / len(concepts) < 0.13


def test_the_split_is_the_same_for_every_seed_and_with_skin_tones():
    held_out = {one.concept for one in CaptionsDataModule(seed=0)._emoji("val")}
    assert held_out == {one.concept for one in CaptionsDataModule(seed=1, skin_tones=True)._emoji("val")}


def test_episodes_lie_in_their_spaces_and_jobs_repeat(small: CaptionsDataModule):
    first, again = episodes(small, "val"), episodes(small, "val")
    for one, other in zip(first, again, strict=True):
        assert small.observation_space.contains({"image": one.observations["image"][0]})
        assert small.action_space.contains(one.actions[0])
        assert one.actions == other.actions
        np.testing.assert_array_equal(one.observations["image"], other.observations["image"])


def test_pairs_per_episode_groups_pairs_and_loses_none():
    single = episodes(CaptionsDataModule(image_size=16, views=1), "train")
    grouped = episodes(CaptionsDataModule(image_size=16, views=1, pairs_per_episode=5), "train")
    assert {len(episode) for episode in grouped[:-1]} == {5}
    assert [name for episode in grouped for name in episode.actions] == [episode.actions[0] for episode in single]


def test_views_multiply_training_pictures_only():
    module = CaptionsDataModule(image_size=16, views=3)
    names = [episode.actions[0] for episode in episodes(module, "train")]
    assert {names.count(name) for name in set(names)} == {3}
    assert len(episodes(module, "val")) == len(module._emoji("val"))


def test_generation_offers_each_held_out_picture_with_all_its_names(small: CaptionsDataModule):
    task = small.generation()
    assert task.kind == "caption"
    assert len(task.observations) == len(task.references) == len(task.groups) == len(small._emoji("val"))
    assert all(small.observation_space.contains(observation) for observation in task.observations)


def test_a_caption_becomes_patches_then_its_words_and_the_end(small: CaptionsDataModule, tmp_path: Path):
    tokenizer = TextTokenizer()
    small.connect("emoji", Vocabulary(), tokenizer, 64, tmp_path)
    episode = episodes(small, "val")[0]
    ids = small.tokenise(episode).timesteps.ids.tolist()
    expected = [Vocabulary().padding] * 4 + [Vocabulary().separator]
    assert ids == expected + tokenizer.encode(episode.actions[0]) + [tokenizer.end]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image_size": 40}, "image_size: 40, expected .* a multiple of 16"),
        ({"image_size": 0}, "image_size: 0"),
        ({"background": "nocolour"}, "background is 'nocolour'"),
        ({"held_out": 1.0}, "held_out: 1.0"),
        ({"views": 0}, "views: 0, expected a whole number, 1 or more"),
        ({"pairs_per_episode": 0}, "pairs_per_episode: 0"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str):
    with pytest.raises(UserError, match=message):
        CaptionsDataModule(**settings)
