"""A game of TextWorld as an environment: text in, text out."""

import re
import string
from collections.abc import Mapping
from typing import Any

import gymnasium
import textworld
from gymnasium import spaces

from datamodules.control.textworld_games import game_file
from gato_lightning.sequences.tasks import VALIDATION_SEED

_ASKED = textworld.EnvInfos(
    description=True,
    inventory=True,
    objective=True,
    verbs=True,
    score=True,
    won=True,
    lost=True,
    admissible_commands=True,
    policy_commands=True,
)
_PARTS = ("feedback", "inventory", "objective", "room")
UNKNOWN_VERB = "That's not a verb I recognise."  # as Inform answers


class TextWorldEnv(gymnasium.Env):
    """Games of one kind: each episode is one of a fixed number of them, chosen by its seed.

    What is observed: the last command and its answer, what one carries, the objective (of cooking, the recipe), and the room.
    Reward is what the command adds to the game's score.

    A command whose verb the game does not know never reaches it, and changes nothing.

    Args:
        game: the kind, see `textworld_generator.py`.
        options: of it.
        games: of demonstrations, 1 or more.
        held_out_games: of all other episodes, 1 or more.
    """

    observation_space = spaces.Dict({part: spaces.Text(10_000, min_length=0, charset=string.printable) for part in _PARTS})
    action_space = spaces.Text(80, charset=string.ascii_letters + string.digits + " -'")

    def __init__(self, game: str, options: Mapping[str, Any], games: int, held_out_games: int) -> None:
        self._game, self._options = game, options
        self._games, self._held_out_games = games, held_out_games
        self._played: textworld.Environment | None = None
        self._state: Any = None
        self._score = 0

    @property
    def policy_commands(self) -> list[str]:
        """Commands that win the game from here; none where it cannot be won."""
        return self._state.policy_commands

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, str], dict[str, Any]]:
        super().reset(seed=seed)
        self.close()
        number = int(self.np_random.integers(2**31)) if seed is None else seed
        held_out = number >= VALIDATION_SEED
        game = self._games + number % self._held_out_games if held_out else number % self._games
        path = game_file(self._game, self._options, game, self._games + self._held_out_games)
        self._played = textworld.start(str(path), _ASKED)
        self._state, self._score = self._played.reset(), 0
        self._objective = _objective(self._state)
        return self._observation(""), self._info()

    def step(self, action: str) -> tuple[dict[str, str], float, bool, bool, dict[str, Any]]:
        words = action.split()
        command = " ".join(words)
        # Other verbs are the interpreter's own: quit, restart, save. Behind a `then` there would be another command.
        if words and words[0] in self._state.verbs and "then" not in words:
            self._state, _, _ = self._played.step(command)
            answer = _answer(self._state.feedback, self._state.description)
        else:
            answer = UNKNOWN_VERB
        score, self._score = self._score, int(self._state.score)
        over = bool(self._state.won or self._state.lost)
        return self._observation(f"> {command} {answer}"), float(self._score - score), over, False, self._info()

    def close(self) -> None:
        if self._played is not None:
            self._played.close()
        self._played = None

    def _observation(self, feedback: str) -> dict[str, str]:
        shown = (feedback, self._state.inventory, self._objective, self._state.description)
        return dict(zip(_PARTS, map(_line, shown), strict=True))

    def _info(self) -> dict[str, Any]:
        return {"admissible_commands": self._state.admissible_commands, "success": bool(self._state.won)}


def _objective(state: textworld.GameState) -> str:
    """What is to be done; of cooking the recipe, which the winning policy knows without reading the cookbook."""
    _, ingredients, recipe = state.get("extra.recipe", "").partition("Ingredients:")
    return ingredients + recipe or state.objective


def _answer(feedback: str, room: str) -> str:
    """What the game answers, without the room, which is observed anyway, and the line at the screen's head."""
    answer = _line(re.split(r"\n>|\*\*\*", feedback)[0])
    return answer.replace(_line(room), "").strip()


def _line(text: str) -> str:
    return " ".join(text.split())
