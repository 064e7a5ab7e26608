import functools
import operator
import sys

import pytest

from datamodules.control.board_games import BoardGameDataModule
from datamodules.control.experts.board_games import open_spiel, searched
from gato_lightning.errors import UserError


def test_tictactoe_is_never_lost_by_the_expert():
    module = BoardGameDataModule("tictactoe", opponent_skill=1.0)
    assert min(module.play(seed).total_reward for seed in range(30)) == 0


def test_nim_is_played_by_boutons_rule():
    """The sizes of the piles, added without carrying, are zero for who loses; the expert leaves that wherever it can."""
    module = BoardGameDataModule("nim", opponent_skill=0.0)
    sums = []
    for seed in range(30):
        observation, _ = module.env.reset(seed=seed)
        expert, ended = module.make_expert(module.env), False
        while not ended:
            action = expert(observation, None)
            if functools.reduce(operator.xor, observation["board"].tolist()):
                left = module.env.state.clone()
                left.apply_action(action)
                sums.append(functools.reduce(operator.xor, map(int, str(left).split(":")[1].split())))
            observation, _, ended, _, _ = module.env.step(action)
    assert len(sums) > 50
    assert not any(sums)


def test_a_missing_library_is_told_in_a_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspiel", None)
    with pytest.raises(UserError, match=r"need the extra board: pip install -e '\.\[board\]'"):
        BoardGameDataModule("nim")


def test_the_search_takes_a_win_and_prevents_a_loss():
    state = open_spiel().load_game("connect_four").new_initial_state()
    for column in (0, 6, 0, 6, 0):
        state.apply_action(column)
    assert searched(state, 200, seed=0) == 0, "three of the other's stand in the first column"
    state.apply_action(6)
    assert searched(state, 200, seed=0) == 0


def test_the_same_position_has_the_same_move():
    state = open_spiel().load_game("hex(board_size=5)").new_initial_state()
    assert len({searched(state, 100, seed=0) for _ in range(5)}) == 1
