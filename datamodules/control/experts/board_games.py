"""Players of board games: one that solves the game, and one that searches."""

from typing import Any

from gato_lightning.errors import UserError

EXPLORATION = 2.0  # of the search, as in OpenSpiel's examples
DISCOUNT = 0.99  # by which a win is worth less for each move that it takes


def open_spiel() -> Any:
    """The library, imported when a game is first made.

    Raises:
        UserError: it is not installed.
    """
    try:
        import pyspiel
    except ModuleNotFoundError as error:
        raise UserError("board games need the extra board: pip install -e '.[board]'") from error
    return pyspiel


def searched(state: Any, simulations: int, seed: int) -> int:
    """The move that Monte Carlo tree search finds best (UCT; Kocsis & Szepesvari 2006), with proven wins and losses kept.

    Args:
        state: of OpenSpiel; a player's turn.
        simulations: positions that are tried by a random game from there on, 1 or more.
        seed: of those; the same position with the same seed has the same move.
    """
    pyspiel = open_spiel()
    evaluator = pyspiel.RandomRolloutEvaluator(1, seed)
    bot = pyspiel.MCTSBot(state.get_game(), evaluator, EXPLORATION, simulations, 1000, True, seed, False)
    return int(bot.step(state))


class Solver:
    """Minimax over all positions that can follow, each computed once: for games of few positions.

    Attributes:
        values: what positions are worth to who moves first, in [-1, 1], by how OpenSpiel writes them.
    """

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def best(self, state: Any) -> int:
        """The best move; wins come early and losses late; among equally good moves the first."""
        side = 1 if state.current_player() == 0 else -1
        return int(max(state.legal_actions(), key=lambda action: side * self._value(state.child(action))))

    def _value(self, state: Any) -> float:
        if state.is_terminal():
            return float(state.returns()[0])
        position = str(state)
        if position not in self.values:
            better = max if state.current_player() == 0 else min
            self.values[position] = DISCOUNT * better(self._value(state.child(action)) for action in state.legal_actions())
        return self.values[position]
