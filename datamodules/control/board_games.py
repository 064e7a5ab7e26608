"""Board games against an opponent: tic-tac-toe, Connect Four, Hex, Nim and others."""

from typing import Any

import gymnasium
import numpy as np

from datamodules.control.board_game import GAMES, BoardGame
from datamodules.control.expert_task import ControlDataModule, Expert
from datamodules.control.experts.board_games import Solver, searched
from gato_lightning.common.settings import Share
from gato_lightning.errors import unknown

SIMULATIONS = 1000  # of the expert, for a move


class BoardGameDataModule(ControlDataModule):
    """One game, see `BoardGame`; needs the extra `board`.

    The expert of tic-tac-toe and Nim makes no mistakes. That of the other games searches like the opponent, with five times as
    many simulations. The same position always has the same move of its, so that a pupil can learn it.

    Args:
        game: such as `connect-four`.
        opponent_skill: probability that the opponent looks ahead rather than moving at random, in [0, 1].
        kwargs: of `ControlDataModule`.

    Raises:
        UserError: an unknown game, or OpenSpiel is not installed.
    """

    domain = "board"

    def __init__(self, game: str, opponent_skill: Share = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if game not in GAMES:
            raise unknown("board game", game, GAMES)
        self.game, self.opponent_skill = game, opponent_skill
        self.solver = Solver()
        self.observation_space, self.action_space = self.env.observation_space, self.env.action_space

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        return BoardGame(GAMES[self.game], self.opponent_skill, render_mode)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        assert isinstance(env, BoardGame)
        if GAMES[self.game].small:
            return lambda observation, executed: self.solver.best(env.state)
        return lambda observation, executed: searched(env.state, SIMULATIONS, seed=0)

    @property
    def expert_name(self) -> str:
        return "minimax" if GAMES[self.game].small else "Monte Carlo tree search"

    def perturb(self, action: Any, rng: np.random.Generator) -> Any:
        assert isinstance(self.env, BoardGame)
        # Only what the rules allow: anything else would end the game.
        return int(rng.choice(self.env.state.legal_actions())) if rng.random() < self.noise else action
