"""TextWorld: the winning policy wins, what is played follows from the seed, and a mistake is told in one line."""

import json

import numpy as np
import pytest

from datamodules.collecting.collect_command import run
from datamodules.collecting.demonstrations import Plan
from datamodules.control.suites import Task, find
from datamodules.control.textworld import TextWorldDataModule
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.errors import UserError
from gato_lightning.sequences.tasks import REFERENCE_SEED
from gato_lightning.tokens.text import TextTokenizer

FEW = {"games": 2, "held_out_games": 2}
ONE_OF_EACH = ["coin-5", "treasure-3", "cooking-1-cut", "simple-dense", "quest-3"]


@pytest.fixture(scope="module", params=ONE_OF_EACH)
def module(request) -> TextWorldDataModule:
    return find(f"textworld-{request.param}").make(**FEW)


def test_the_expert_wins_what_random_play_does_not(module):
    played = [module.play(first + n) for first in (0, REFERENCE_SEED) for n in range(2)]
    assert all(module.success(one) for one in played)
    assert all(one.terminated for one in played)
    expert = np.mean([one.total_reward for one in played])
    assert np.mean([module.random_return(REFERENCE_SEED + n) for n in range(6)]) < expert


def test_what_is_observed_is_in_its_space_and_a_few_hundred_tokens(module):
    text, played = TextTokenizer(), module.play(0)
    assert all(module.action_space.contains(action) for action in played.actions)
    for observation in played.observations:
        assert module.observation_space.contains(observation)
        assert 20 < sum(len(text.encode(part)) for part in observation.values()) < 450


def test_a_seed_is_an_episode_also_with_noise(module):
    again = TextWorldDataModule(module.game, module.options, noise=0.3, **FEW)
    module.noise = 0.3
    for seed in range(2):
        one, other = (task.play(seed, generator(Purpose.NOISE, seed)) for task in (module, again))
        assert (one.observations, one.actions, one.rewards) == (other.observations, other.actions, other.rewards)


def test_demonstrations_and_all_else_are_of_different_games():
    module = TextWorldDataModule("quest", {"nb_rooms": 3, "nb_objects": 5, "quest_length": 3}, **FEW)
    shown, held_out = ({str(module.env.reset(seed=first + n)[0]) for n in range(8)} for first in (0, REFERENCE_SEED))
    assert (len(shown), len(held_out), len(shown & held_out)) == (2, 2, 0)


def test_they_are_collected_with_their_success(tmp_path):
    arguments = {"game": "coin", "options": {"level": 5}, **FEW}
    task = Task("coins", "textgames", "textgames", "datamodules.TextWorldDataModule", arguments)
    assert run([Plan(task, 3, 0, None, tmp_path)], 1) == {}
    metadata = json.loads((tmp_path / "coins" / "expert-v0" / "data" / "metadata.json").read_text())
    assert (metadata["success_rate"], metadata["ref_max_score"], metadata["total_episodes"]) == (1.0, 1.0, 3)


@pytest.mark.parametrize(
    ("game", "options", "message"),
    [
        ("coin", {"level": 1000}, r"game 'coin' cannot be made with options {'level': 1000}: .*within \[1-300\]"),
        ("quest", {"rooms": 3}, "game 'quest' cannot be made .*unknown option 'rooms'"),
    ],
)
def test_options_that_a_game_does_not_have_are_told_in_a_line(game, options, message):
    (job, *_) = TextWorldDataModule(game, options, episodes=1, **FEW).jobs("train")
    with pytest.raises(UserError, match=message):
        job()
