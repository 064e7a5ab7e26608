"""Questions about scenes on a grid, and their answers."""

from random import Random

from datamodules.vision.grid_questions import ask
from datamodules.vision.grid_scenes import CONCEPTS, Thing

SCENE = (
    Thing("red", "ball", row=0, column=0),
    Thing("blue", "key", row=3, column=3),
    Thing("green", "key", row=1, column=2),
)


def questions(kind: str, grid: int = 4) -> dict[str, str]:
    """All questions of a kind about `SCENE`, found by asking often."""
    asked = (ask(Random(i), SCENE, kind, grid, CONCEPTS) for i in range(400))
    return {one.text: one.answer for one in asked if one}


def test_answers_follow_from_the_scene():
    assert questions("colour") == {"what color is the ball?": "red"}
    assert questions("type") == {
        "what is the red object?": "ball",
        "what is the blue object?": "key",
        "what is the green object?": "key",
    }
    assert questions("count") == {
        "how many balls are there?": "one",
        "how many keys are there?": "two",
        "how many boxes are there?": "zero",
    }
    exists = questions("exists")
    assert {text for text, answer in exists.items() if answer == "yes"} == {
        "is there a red ball?",
        "is there a blue key?",
        "is there a green key?",
    }
    assert len(exists) == len(CONCEPTS)
    assert questions("side") == {
        "is the red ball left or right?": "left",
        "is the blue key left or right?": "right",
        "is the green key left or right?": "right",
    }
    assert questions("height") == {
        "is the red ball top or bottom?": "top",
        "is the blue key top or bottom?": "bottom",
        "is the green key top or bottom?": "top",
    }


def test_the_middle_of_an_odd_grid_is_in_neither_half():
    middle = (Thing("red", "ball", row=1, column=1), Thing("blue", "key", row=0, column=2))
    asked = [ask(Random(i), middle, kind, 3, CONCEPTS) for i in range(50) for kind in ("side", "height")]
    assert {one.about for one in asked if one} == {frozenset({"blue key"})}


def test_objects_that_are_alike_are_not_told_apart():
    twins = (Thing("red", "ball", 0, 0), Thing("red", "ball", 3, 3))
    assert all(ask(Random(0), twins, kind, 4, CONCEPTS) is None for kind in ("colour", "type", "side", "height"))
