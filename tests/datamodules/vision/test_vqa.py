from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from datamodules.vision.grid_questions import KINDS
from datamodules.vision.grid_scenes import CONCEPTS
from datamodules.vision.vqa import VqaDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

NEW = ("red ball", "green key", "blue box")


def test_new_concepts_occur_in_no_training_scene_or_question_and_every_held_out_question_is_about_one():
    module = VqaDataModule(questions=3000, val_questions=500, held_out_concepts=NEW)
    for scene, question in module._all_pairs("train"):
        assert not {thing.concept for thing in scene} & set(NEW)
        assert not question.about & set(NEW)
    for scene, question in module._all_pairs("val"):
        assert {thing.concept for thing in scene} & set(NEW)
        assert question.about & set(NEW)


@pytest.mark.parametrize("new", [(), NEW])
def test_every_kind_is_asked_and_yes_is_as_common_as_no(new: tuple[str, ...]):
    module = VqaDataModule(questions=6000, val_questions=6000, held_out_concepts=new)
    for split in ("train", "val"):
        asked = [question for _, question in module._all_pairs(split)]
        kinds = Counter(question.kind for question in asked)
        assert set(kinds) == set(KINDS)
        assert min(kinds.values()) > 800
        answers = Counter(question.answer for question in asked if question.kind == "exists")
        assert 0.45 < answers["yes"] / kinds["exists"] < 0.55


def test_jobs_repeat_and_lie_in_their_spaces():
    module = VqaDataModule(questions=1500, val_questions=100)
    assert len(module.jobs("train")) == 2
    first, again = ([episode for job in module.jobs("val") for episode in job()] for _ in range(2))
    for one, other in zip(first, again, strict=True):
        observation = {key: column[0] for key, column in one.observations.items()}
        assert module.observation_space.contains(observation)
        assert module.action_space.contains(one.actions[0])
        assert one.actions == other.actions
        np.testing.assert_array_equal(one.observations["image"], other.observations["image"])


def test_pairs_per_episode_groups_questions():
    module = VqaDataModule(questions=12, val_questions=12, pairs_per_episode=5)
    assert [len(episode) for job in module.jobs("train") for episode in job()] == [5, 5, 2]


def test_generation_groups_by_kind_and_knows_the_commonest_training_answer():
    module = VqaDataModule(questions=3000, val_questions=300)
    task = module.generation()
    assert task.kind == "answer"
    assert set(task.groups) == set(task.baseline) == set(KINDS)
    train = Counter(question.answer for _, question in module._all_pairs("train") if question.kind == "count")
    assert task.baseline["count"] == train.most_common(1)[0][0]
    assert all(module.observation_space.contains(observation) for observation in task.observations)


def test_the_question_stands_before_the_picture_and_the_answer_last(tmp_path: Path):
    module, tokenizer = VqaDataModule(grid=2, questions=5, val_questions=5), TextTokenizer()
    module.connect("grid", Vocabulary(), tokenizer, 64, tmp_path)
    episode = next(iter(module.jobs("val")[0]()))
    question, answer = tokenizer.encode(episode.observations["question"][0]), tokenizer.encode(episode.actions[0])
    expected = [*question, *[Vocabulary().padding] * 4, Vocabulary().separator, *answer, tokenizer.end]
    assert module.tokenise(episode).timesteps.ids.tolist() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": 1}, "grid: 1, expected a whole number, 2 or more"),
        ({"objects": 5}, "objects: 5, expected a whole number, 2 or more and at most 4"),
        ({"questions": 0}, "questions: 0"),
        ({"held_out_concepts": ["red bal"]}, "unknown held-out concept 'red bal'; did you mean red ball"),
        ({"held_out_concepts": CONCEPTS}, "held_out_concepts names every object"),
    ],
)
def test_wrong_settings_are_named(settings: dict, message: str):
    with pytest.raises(UserError, match=message):
        VqaDataModule(**settings)
