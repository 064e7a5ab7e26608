import pytest

from callbacks.scoring.caption_scores import caption_scores, plain_words

REFERENCES = [[f"{colour} {animal} running fast"] for colour in ("red", "blue") for animal in ("cat", "dog", "fox")]


def test_case_punctuation_and_spacing_do_not_count():
    assert plain_words(" A  Red-Ball. ") == "a red ball"


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


def test_scores_equal_those_of_pycocoevalcap():
    """Made by pycocoevalcap 1.2 with `Bleu(4)`, `Rouge()` and `Cider()`, whose `compute_score` was given these strings."""
    candidates = [
        "a dog runs across the grass with a ball",
        "two children play in the water",
        "a man in a red shirt climbs a rock",
        "people walk down a busy street at night",
        "a black and white dog jumps over a log",
    ]
    references = [
        [
            "a brown dog runs through the grass with a ball in its mouth",
            "a dog is running across a field",
            "the dog carries a ball on the grass",
        ],
        ["two children are playing in the water", "kids splash in a pool", "two kids play in shallow water"],
        [
            "a man wearing a red shirt is climbing a rock wall",
            "a climber in red scales a cliff",
            "man climbing up the side of a mountain",
        ],
        [
            "a crowd of people walk down a street",
            "people walking at night in the city",
            "a busy city street at night with people walking",
        ],
        [
            "a black and white dog leaps over a fallen log",
            "the dog jumps over a log in the forest",
            "a dog jumping over a tree trunk",
        ],
    ]
    scores = caption_scores(candidates, references)
    expected = {
        "bleu_1": 0.9756097560737657,
        "bleu_2": 0.8710956250815954,
        "bleu_3": 0.6997872127460891,
        "bleu_4": 0.5511320594585102,
        "rouge_l": 0.7219359700313627,
        "cider_d": 2.3765931721704527,
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_chrf_counts_letters():
    references = [["a red cat"], ["a red cat"]]
    same, near, far = (caption_scores([text] * 2, references)["chrf"] for text in ("a red cat", "a red cats", "dog"))
    assert same == pytest.approx(1)
    assert same > near > far
