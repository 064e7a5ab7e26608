import pytest

from callbacks.caption_scores import answer_scores, caption_scores, plain

REFERENCES = [[f"{colour} {animal} running fast"] for colour in ("red", "blue") for animal in ("cat", "dog", "fox")]


def test_case_punctuation_and_spacing_do_not_count():
    assert plain(" A  Red-Ball. ") == "a red ball"


def test_right_captions_get_the_highest_scores_and_lose_them_under_other_pictures():
    scores = caption_scores([each[0].upper() for each in REFERENCES], REFERENCES)
    assert [scores[f"bleu_{n}"] for n in (1, 2, 3, 4)] == pytest.approx([1, 1, 1, 1])
    assert scores["cider_d"] == pytest.approx(10.0)
    assert scores["cider_d_shuffled"] < 0.5 * scores["cider_d"]
    assert scores["examples"] == 6


def test_captions_that_do_not_look_at_the_picture_gain_nothing_over_the_shuffled_ones():
    scores = caption_scores(["red cat running fast"] * 6, REFERENCES)
    assert scores["cider_d"] > 0
    assert scores["cider_d_shuffled"] == pytest.approx(scores["cider_d"])


def test_captions_of_nothing_score_nothing():
    scores = caption_scores([""] * 6, REFERENCES)
    assert scores["bleu_1"] == scores["cider_d"] == 0


def test_answers_count_if_they_are_exactly_one_of_the_references():
    scores = answer_scores(
        ["Red.", "blue", "two", "2"],
        [["red"], ["red"], ["one", "two"], ["two"]],
        ["colour", "colour", "count", "count"],
        {"colour": "red", "count": "one"},
    )
    assert scores == {
        "accuracy": 0.5,
        "accuracy/colour": 0.5,
        "accuracy/count": 0.5,
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
