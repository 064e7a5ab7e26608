"""Generates games of TextWorld: `python -m datamodules.control.textworld_generator '[GAME, OPTIONS, FIRST, STOP]' FOLDER`."""

import functools
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import textworld.challenges
from textworld.generator import QuestGenerationError, compile_game, make_game
from textworld.generator.data import KnowledgeBase

# A quest is generated with TextWorld's `GameOptions`; the others are its challenges, here with their commands' defaults.
QUEST = "quest"
GAMES: dict[str, tuple[str, dict[str, Any]]] = {
    "coin": ("tw-coin_collector", {}),
    "cooking": (
        "tw-cooking",
        {"recipe": 1, "take": 1, "go": 1, "open": False, "cook": False, "cut": False, "drop": False, "split": "train"},
    ),
    "simple": ("tw-simple", {"rewards": "dense", "goal": "detailed", "test": False}),
    "treasure": ("tw-treasure_hunter", {}),
}
ATTEMPTS = 50  # some seeds give a map without a quest of the length that is asked for


def generate(game: str, options: Mapping[str, Any], number: int, folder: Path) -> None:
    """Generates a game and compiles it; it is whole when its `.z8` file is there.

    Args:
        game: one of `GAMES`, or `QUEST`.
        options: of the challenge, or of the quest.
        number: decides the game.
        folder: where `NUMBER.z8` and `NUMBER.json` are written.
    """
    with tempfile.TemporaryDirectory(dir=folder) as building:
        path = Path(building, f"{number}.z8")
        _generate(game, options, number, path)
        for made in (path.with_suffix(".json"), path):
            made.replace(folder / made.name)


def _generate(game: str, options: Mapping[str, Any], number: int, path: Path) -> None:
    for attempt in range(ATTEMPTS):
        settings = textworld.GameOptions()
        settings.path, settings.seeds = str(path), number + attempt * 1_000_003
        # Who collects coins is told where the last one is, and finds the way; the others are told each step.
        settings.grammar.only_last_action = game == "coin"
        try:
            compile_game(_made(game, options, number, settings), settings)
            return
        except QuestGenerationError:
            continue
    raise ValueError(f"no quest found for game {number} in {ATTEMPTS} attempts")


def _made(game: str, options: Mapping[str, Any], number: int, settings: textworld.GameOptions) -> textworld.Game:
    if game == QUEST:
        for key, value in options.items():
            if not hasattr(settings, key):
                raise ValueError(f"unknown option '{key}'")
            setattr(settings, key, value)
        return make_game(settings)
    challenge, defaults = GAMES[game]
    _, make, _ = textworld.challenges.CHALLENGES[challenge]
    recipe = {"recipe_seed": number + 1} if game == "cooking" else {}
    return make({**defaults, **recipe, **options}, settings)


if __name__ == "__main__":
    # The rules of a kind of game are the same for all its games, and reading them takes longer than making one.
    KnowledgeBase.load = functools.cache(KnowledgeBase.load)
    game, options, first, stop = json.loads(sys.argv[1])
    for number in range(first, stop):
        if not Path(sys.argv[2], f"{number}.z8").exists():
            generate(game, options, number, Path(sys.argv[2]))
