import pytest

from callbacks.scoring.answer_scores import answer_scores, normalised, soft_accuracy


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("A Red ball.", "red ball"),
        ("two", "2"),
        ("none", "0"),
        ("1,000", "1000"),
        ("2.5 m", "2.5 m"),
        ("black/white", "black white"),
        ("yes, it is!", "yes it is"),
        ("dont know", "don't know"),
        ("wouldnt've", "wouldn't've"),
        ("the girl's", "girl's"),
        ("10:30", "10:30"),
    ],
)
def test_answers_are_compared_without_what_decides_nothing(answer, expected):
    assert normalised(answer) == expected


@pytest.mark.parametrize(("same", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)])
def test_soft_accuracy_of_ten_answers(same, expected):
    """The official figures: the mean of min(1, n / 3) over the ten ways to leave one of ten people out."""
    assert soft_accuracy("red", ["red"] * same + ["blue"] * (10 - same)) == pytest.approx(expected)


def test_a_single_right_answer_is_right_or_wrong():
    assert [soft_accuracy(answer, ["red"]) for answer in ("red", "blue")] == [1.0, 0.0]


def test_the_best_constant_answer_is_the_one_that_scores_most():
    right = [["red"] * 4 + ["blue"] * 6, ["red"] * 4 + ["green"] * 6, ["red"] * 4 + ["black"] * 6]
    scores = answer_scores(["blue", "blue", "x"], right, ["colour"] * 3, {})
    assert scores["best_constant"] == pytest.approx(1.0)
    assert scores["accuracy"] == pytest.approx(1 / 3)


def test_answers_count_if_they_are_one_of_the_references_whatever_their_spelling():
    scores = answer_scores(
        ["Red.", "blue", "two", "2"],
        [["red"], ["red"], ["one", "two"], ["two"]],
        ["colour", "colour", "count", "count"],
        {"colour": "red", "count": "one"},
    )
    assert scores == {
        "accuracy": 0.75,
        "accuracy/colour": 0.5,
        "accuracy/count": 1.0,
        "best_constant": 1.0,
        "best_constant/colour": 1.0,
        "best_constant/count": 1.0,
        "commonest": 0.75,
        "commonest/colour": 1.0,
        "commonest/count": 0.5,
        "examples": 4.0,
    }


def test_answers_without_types_have_neither_types_nor_a_baseline():
    scores = answer_scores(["a", "b", "b"], [["a"], ["a"], ["c"]], ["", "", ""], {})
    assert scores == pytest.approx({"accuracy": 1 / 3, "best_constant": 2 / 3, "examples": 3.0})
