import numpy as np
import pytest

from datamodules.control.board_game import GAMES, BoardGame


@pytest.mark.parametrize("game", ["tictactoe", "connect-four", "four-in-a-row-5x5", "hex-5x5"])
def test_a_board_is_seen_from_the_own_side(game):
    """Who moves first sees as many own pieces as the opponent's, who moves second one less; a move adds an own piece."""
    env = BoardGame(GAMES[game], opponent_skill=0.0)
    for seed in range(10):
        observation, _ = env.reset(seed=seed)
        for own in range(2):
            board, player = observation["board"], observation["player"]
            assert [(board == 1).sum(), (board == 2).sum()] == [own, own + player]
            observation, *_ = env.step(env.state.legal_actions()[0])


def test_pieces_lie_where_moves_put_them():
    env = BoardGame(GAMES["tictactoe"], 0.5)
    observation, _ = env.reset(seed=0)
    action = env.state.legal_actions()[-1]
    assert observation["board"][action] == 0
    observation, *_ = env.step(action)
    assert observation["board"][action] == 1


@pytest.mark.parametrize("seed", range(4))
def test_a_move_against_the_rules_loses(seed):
    env = BoardGame(GAMES["tictactoe"], 0.5)
    env.reset(seed=seed)
    action = env.state.legal_actions()[0]
    assert not env.step(action)[2]
    assert env.step(action)[1:] == (-1.0, True, False, {"success": False})


def test_both_players_move_first():
    env = BoardGame(GAMES["nim"], 0.5)
    assert {env.reset(seed=seed)[0]["player"] for seed in range(20)} == {0, 1}


@pytest.mark.parametrize("game", ["tictactoe", "nim"])
def test_a_board_is_drawn(game):
    env = BoardGame(GAMES[game], 0.5, "rgb_array")
    env.reset(seed=0)
    picture = env.render()
    assert picture.dtype == np.uint8
    assert picture.shape == ((48, 48, 3) if game == "tictactoe" else (64, 112, 3))
