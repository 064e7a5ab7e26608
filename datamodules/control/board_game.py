"""A board game for two as an environment for one: OpenSpiel's rules, and an opponent that moves inside `step`."""

from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from datamodules.control.experts.board_games import open_spiel, searched

OPPONENT_SIMULATIONS = 200
TILE = 16  # pixels a side of a cell, in videos
COLOURS = np.array([[238, 238, 238], [200, 40, 40], [40, 60, 200]], np.uint8)  # empty, own, the opponent's


@dataclass(frozen=True)
class Game:
    """One game.

    Args:
        rules: as OpenSpiel names them, with their parameters.
        codes: what each plane of OpenSpiel's observation means to who moves first, and to who moves second: 0 an empty cell,
            1 an own piece, 2 one of the opponent's. None: the observation ends with the size of each pile, one-hot.
        piles: how many there are.
        small: whether there are so few positions that the expert knows the value of each.
    """

    rules: str
    codes: tuple[str, str] | None = None
    piles: int = 0
    small: bool = False


GAMES = {
    "tictactoe": Game("tic_tac_toe", ("021", "012"), small=True),
    "connect-four": Game("connect_four", ("120", "210")),
    "four-in-a-row-5x5": Game("mnk(m=5,n=5,k=4)", ("021", "012")),
    "breakthrough-5x5": Game("breakthrough(rows=5,columns=5)", ("120", "210")),
    "hex-5x5": Game("hex(board_size=5)", ("222201111", "111102222")),
    "clobber-4x4": Game("clobber(rows=4,columns=4)", ("120", "120")),
    "nim": Game("nim(pile_sizes=1;3;5;7,is_misere=false)", piles=4, small=True),
    "nim-misere": Game("nim(pile_sizes=1;3;5;7,is_misere=true)", piles=4, small=True),
}


class BoardGame(gymnasium.Env):
    """One player's side of a game.

    The seed decides who moves first and what the opponent does. The reward is 1 for a win, 0 for a draw, -1 for a loss, at the
    end. A move against the rules loses at once. The observation is the board from the player's side, row by row (0 an empty
    cell, 1 an own piece, 2 one of the opponent's; of Nim the sizes of the piles), and whether the player moved first (0) or
    second (1). An action is OpenSpiel's number of a move. `info["success"]` tells at the end whether the game was won.

    Args:
        game: which one.
        opponent_skill: probability, in [0, 1], that the opponent looks ahead (200 simulations) rather than moving at random.
        render_mode: `rgb_array` or None.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012  (as Gymnasium declares it)

    def __init__(self, game: Game, opponent_skill: float, render_mode: str | None = None) -> None:
        self.opponent_skill, self.render_mode = opponent_skill, render_mode
        self.rules = open_spiel().load_game(game.rules)
        shape = self.rules.observation_tensor_shape()
        if game.codes is None:
            self.codes, self.shape = None, (game.piles,)
            self.values = (shape[0] - 3 - game.piles) // game.piles  # before the piles stand the player and their number
        else:
            self.codes, self.shape = np.array([list(codes) for codes in game.codes], np.int64), tuple(shape[1:])
            self.values = len(COLOURS)
        board = spaces.MultiDiscrete(np.full(int(np.prod(self.shape)), self.values))
        self.observation_space = spaces.Dict({"board": board, "player": spaces.Discrete(2)})
        self.action_space = spaces.Discrete(self.rules.num_distinct_actions())

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = self.rules.new_initial_state()
        self.player = int(self.np_random.integers(2))
        self._answer()
        return self._observed(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if action not in self.state.legal_actions():
            return self._observed(), -1.0, True, False, {"success": False}
        self.state.apply_action(int(action))
        self._answer()
        ended = self.state.is_terminal()
        reward = float(np.sign(self.state.returns()[self.player])) if ended else 0.0
        return self._observed(), reward, ended, False, {"success": reward > 0} if ended else {}

    def render(self) -> np.ndarray:
        """The board, (rows x 16, columns x 16, 3) uint8: own pieces red; of Nim a row for each pile."""
        board = self._board().reshape(self.shape)
        if self.codes is None:
            board = (np.arange(self.values - 1) < board[:, None]).astype(np.int64)
        return COLOURS[board].repeat(TILE, 0).repeat(TILE, 1)

    def _answer(self) -> None:
        """The opponent's moves, up to the player's turn or the end."""
        while not self.state.is_terminal() and self.state.current_player() != self.player:
            if self.np_random.random() < self.opponent_skill:
                action = searched(self.state, OPPONENT_SIMULATIONS, int(self.np_random.integers(2**31)))
            else:
                action = int(self.np_random.choice(self.state.legal_actions()))
            self.state.apply_action(action)

    def _board(self) -> np.ndarray:
        tensor = np.array(self.state.observation_tensor(self.player))
        if self.codes is None:
            return tensor[-self.shape[0] * self.values :].reshape(-1, self.values).argmax(1)
        return self.codes[self.player][tensor.reshape(self.codes.shape[1], -1).argmax(0)]

    def _observed(self) -> dict[str, Any]:
        return {"board": self._board(), "player": self.player}
