"""A game follows from its number, whatever is made beside it and in which process; it is made once."""

import pytest

from datamodules.control import textworld_games
from datamodules.control.textworld_games import game_file

CUT = {"recipe": 1, "take": 1, "cut": True}


@pytest.mark.parametrize(("game", "options"), [("cooking", CUT), ("treasure", {"level": 3})])
def test_a_game_is_the_same_alone_and_among_others(game, options, tmp_path, monkeypatch):
    made = []
    for together in (1, 3):
        (tmp_path / str(together)).mkdir()
        monkeypatch.setattr(textworld_games, "TOGETHER", together)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / str(together)))
        path = game_file(game, options, 2, 3)
        made.append((path.read_bytes(), path.with_suffix(".json").read_bytes()))
        assert len(list(path.parent.glob("*.z8"))) == together
        written = path.stat().st_mtime_ns
        assert game_file(game, options, 2, 3).stat().st_mtime_ns == written
    assert made[0] == made[1]
