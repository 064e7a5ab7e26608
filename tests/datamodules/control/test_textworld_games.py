"""A game follows from its number, whatever is made beside it and in which process; it is made once."""

import re

import pytest

from datamodules.control import textworld_games
from datamodules.control.textworld_games import game_file

# Those of `test_textworld.py`, as making them takes long.
CUT = {"recipe": 1, "take": 1, "cook": True, "cut": True}


@pytest.mark.parametrize(("game", "options"), [("cooking", CUT), ("treasure", {"level": 3})])
def test_a_game_is_the_same_alone_and_among_others(game, options, tmp_path, monkeypatch):
    among = game_file(game, options, 2, 4)
    assert len(list(among.parent.glob("*.z8"))) >= 4
    monkeypatch.setattr(textworld_games, "TOGETHER", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    alone = game_file(game, options, 2, 4)
    assert tmp_path in alone.parents
    assert [path.name for path in alone.parent.glob("*.z8")] == ["2.z8"]
    assert _unplaced(alone) == _unplaced(among)
    assert _undated(alone) == _undated(among)
    written = alone.stat().st_mtime_ns
    assert game_file(game, options, 2, 4).stat().st_mtime_ns == written


def _unplaced(game):
    """What TextWorld knows of a game, without the place where TextWorld is installed."""
    return re.sub(r'"text_grammars_path": "[^"]*"', "", game.with_suffix(".json").read_text())


def _undated(game):
    """The story file without the day of its compilation and the checksum over it (the Z-machine's header)."""
    story = bytearray(game.with_suffix(".z8").read_bytes())
    story[18:24] = story[28:30] = b""
    return bytes(story)
