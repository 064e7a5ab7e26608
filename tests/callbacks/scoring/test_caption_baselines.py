import numpy as np
import pytest

from callbacks.scoring.caption_baselines import constant_caption, histogram, nearest
from callbacks.scoring.caption_scores import cider_d

REFERENCES = [
    [f"a {colour} {animal} runs", "an animal runs over a field"] for colour in ("red", "blue") for animal in ("cat", "fox")
]


def plain_picture(*colour: int) -> np.ndarray:
    return np.full((16, 16, 3), colour, np.uint8)


def test_the_constant_caption_is_the_one_that_scores_most():
    captions = [caption for each in REFERENCES for caption in each] + ["nothing of this"]
    best = max(cider_d([caption] * 4, REFERENCES) for caption in captions)
    assert cider_d([constant_caption(captions, REFERENCES)] * 4, REFERENCES) == best
    assert constant_caption(captions[::-1], REFERENCES) == constant_caption(captions, REFERENCES)


def test_a_histogram_counts_shares_of_colours():
    picture = np.concatenate([plain_picture(0, 0, 0), plain_picture(255, 255, 255)])
    assert histogram(picture)[[0, -1]] == pytest.approx([0.5, 0.5])
    assert histogram(picture).sum() == pytest.approx(1)


def test_the_nearest_picture_has_the_nearest_colours_and_is_not_the_picture_itself():
    pictures = [plain_picture(250, 0, 0), plain_picture(0, 0, 250), plain_picture(230, 20, 10), plain_picture(10, 10, 240)]
    assert nearest(pictures, pictures, range(4)) == [2, 3, 0, 1]
    assert nearest(pictures[2:], pictures[:2]) == [0, 1]
