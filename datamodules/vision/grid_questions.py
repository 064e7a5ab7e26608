"""Questions about a grid scene, with answers computed from the scene."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from random import Random

from datamodules.vision.grid_scenes import TYPES, Scene, Thing

_NUMBERS = ("zero", "one", "two", "three", "four")
_PLURALS = {"ball": "balls", "key": "keys", "box": "boxes"}


@dataclass(frozen=True)
class Question:
    """One question about one scene.

    Args:
        kind: one of `KINDS`.
        text: the question.
        answer: one or two words.
        about: the objects on which the answer depends, such as `"red ball"`.
    """

    kind: str
    text: str
    answer: str
    about: frozenset[str]


def _alone(scene: Scene, attribute: str) -> list[Thing]:
    """Returns the objects whose `attribute` (colour, kind or concept) no other object of the scene has."""
    counts = Counter(getattr(thing, attribute) for thing in scene)
    return [thing for thing in scene if counts[getattr(thing, attribute)] == 1]


def _colour(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    return [
        Question("colour", f"what color is the {thing.kind}?", thing.colour, frozenset({thing.concept}))
        for thing in _alone(scene, "kind")
    ]


def _type(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    return [
        Question("type", f"what is the {thing.colour} object?", thing.kind, frozenset({thing.concept}))
        for thing in _alone(scene, "colour")
    ]


def _count(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    found = []
    for kind in TYPES:
        counted = [thing.concept for thing in scene if thing.kind == kind]
        text = f"how many {_PLURALS[kind]} are there?"
        found.append(Question("count", text, _NUMBERS[len(counted)], frozenset(counted)))
    return found


def _exists(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    present = {thing.concept for thing in scene}
    return [
        Question("exists", f"is there a {concept}?", "yes" if concept in present else "no", frozenset({concept}))
        for concept in asked_for
    ]


def _side(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    # The middle column of an odd grid is on neither side.
    return [
        Question(
            "side",
            f"is the {thing.concept} left or right?",
            "right" if 2 * thing.column + 1 > grid else "left",
            frozenset({thing.concept}),
        )
        for thing in _alone(scene, "concept")
        if 2 * thing.column + 1 != grid
    ]


def _height(scene: Scene, grid: int, asked_for: Sequence[str]) -> list[Question]:
    return [
        Question(
            "height",
            f"is the {thing.concept} top or bottom?",
            "bottom" if 2 * thing.row + 1 > grid else "top",
            frozenset({thing.concept}),
        )
        for thing in _alone(scene, "concept")
        if 2 * thing.row + 1 != grid
    ]


_ASK: dict[str, Callable[[Scene, int, Sequence[str]], list[Question]]] = {
    "colour": _colour,
    "type": _type,
    "count": _count,
    "exists": _exists,
    "side": _side,
    "height": _height,
}
KINDS = tuple(_ASK)


def ask(
    rng: Random,
    scene: Scene,
    kind: str,
    grid: int,
    asked_for: Sequence[str],
    about: Collection[str] | None = None,
) -> Question | None:
    """Draws a question of one kind; returns None if the scene allows none.

    All answers that the scene allows are equally likely, so that "no" is not more common than "yes".

    Args:
        rng: random generator that draws the question.
        scene: the scene that the question is about.
        kind: one of `KINDS`.
        grid: side of the grid in cells.
        asked_for: objects that "is there a ...?" may name, present or not.
        about: restricts the questions to those about one of these objects; None: no restriction.
    """
    questions = _ASK[kind](scene, grid, asked_for)
    if about is not None:
        questions = [question for question in questions if not question.about.isdisjoint(about)]
    if not questions:
        return None
    answer = rng.choice(sorted({question.answer for question in questions}))
    return rng.choice([question for question in questions if question.answer == answer])
