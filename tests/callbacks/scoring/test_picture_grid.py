import numpy as np

from callbacks.scoring.picture_grid import Line, draw_grid, find_picture, find_texts

PICTURE = np.full((32, 32, 3), (10, 200, 30), np.uint8)


def test_pictures_and_texts_are_found_at_any_depth():
    observation = {"a": {"question": "what?"}, "b": (np.zeros(3, np.float32), PICTURE), "c": "where?"}
    assert find_picture(observation) is PICTURE
    assert find_texts(observation) == ["what?", "where?"]
    assert find_picture({"joints": np.zeros((2, 2), np.float32)}) is None


def test_every_picture_is_drawn_with_ink_under_it():
    grid = draw_grid([PICTURE] * 5, [[Line("right"), Line("wrong", "red")]] * 5, columns=4, side=64)
    cell_width, cell_height = 64 + 16, 64 + 2 * 15 + 16
    assert grid.shape == (2 * cell_height, 4 * cell_width, 3)
    for index in range(5):
        top, left = cell_height * (index // 4), cell_width * (index % 4)
        cell = grid[top : top + cell_height, left : left + cell_width]
        assert (cell[8:72, 8:72] == (10, 200, 30)).all()
        assert (cell[74:] < 200).any(), "no text under the picture"


def test_grey_and_wide_pictures_and_any_text_can_be_drawn():
    grey, wide = np.zeros((8, 8), np.uint8), np.zeros((16, 400, 3), np.uint8)
    text = "long " * 200 + "\u0000\ue000\U0001f600\n\t漢字"
    assert draw_grid([grey, wide], [[Line(text)], [Line("")]], side=40).shape[1] == 2 * (40 + 16)
