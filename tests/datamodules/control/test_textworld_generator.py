"""Games are generated with their commands' defaults, and options that are none are refused."""

import json

import pytest

from datamodules.control.textworld_generator import generate


def test_a_quest_has_the_length_and_the_rooms_that_are_asked_for(tmp_path):
    generate("quest", {"nb_rooms": 3, "nb_objects": 5, "quest_length": 3}, 0, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"0.json", "0.z8"}
    game = json.loads((tmp_path / "0.json").read_text())
    (quest,) = game["quests"]
    assert len(quest["commands"]) == 3
    assert len([info for _, info in game["infos"] if info["type"] == "r"]) == 3


def test_unknown_options_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="unknown option 'rooms'"):
        generate("quest", {"rooms": 3}, 0, tmp_path)
    assert not list(tmp_path.iterdir())
