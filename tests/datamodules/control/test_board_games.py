import numpy as np
import pytest

from datamodules.control.board_game import GAMES
from datamodules.control.board_games import BoardGameDataModule
from datamodules.control.suites import suite
from gato_lightning.errors import UserError


def mean_return(module: BoardGameDataModule, episodes: int) -> float:
    return float(np.mean([module.play(seed).total_reward for seed in range(episodes)]))


def test_every_game_is_listed():
    assert [task.init_args["game"] for task in suite("board")] == list(GAMES)


@pytest.mark.parametrize("game", GAMES)
def test_the_expert_beats_random_and_episodes_fit_their_spaces(game):
    module = BoardGameDataModule(game)
    played = module.play(0)
    played.columns(module.observation_space, module.action_space)  # raises if not
    assert mean_return(module, 8) > np.mean([module.random_return(seed) for seed in range(50)]) + 1
    assert module.success(played) == (played.total_reward > 0)


@pytest.mark.parametrize("game", GAMES)
def test_the_seed_fixes_the_episode(game):
    first, second = BoardGameDataModule(game).play(5), BoardGameDataModule(game).play(5)
    assert (first.actions, first.rewards) == (second.actions, second.rewards)
    for one, other in zip(first.observations, second.observations, strict=True):
        np.testing.assert_array_equal(one["board"], other["board"])


def test_a_better_opponent_is_harder_to_beat():
    easy, hard = (mean_return(BoardGameDataModule("hex-5x5", opponent_skill=skill), 12) for skill in (0.0, 1.0))
    assert easy > hard


def test_noise_keeps_to_the_rules():
    module = BoardGameDataModule("breakthrough-5x5", noise=1.0, opponent_skill=0.0)
    rng = np.random.default_rng(0)
    assert np.mean([module.play(seed, rng).total_reward for seed in range(40)]) > -0.9, "moves against the rules would lose all"


def test_mistakes_are_told():
    with pytest.raises(UserError, match="unknown board game 'connect-for'; did you mean connect-four"):
        BoardGameDataModule("connect-for")
    with pytest.raises(UserError, match="opponent_skill"):
        BoardGameDataModule("nim", opponent_skill=2)
