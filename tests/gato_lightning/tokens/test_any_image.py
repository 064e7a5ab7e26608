"""The space of images of any size."""

import numpy as np
import pytest

from gato_lightning.tokens.any_image import AnyImage


def test_samples_belong_to_it_and_repeat_with_the_seed():
    first, second = AnyImage(), AnyImage()
    first.seed(3)
    second.seed(3)
    for _ in range(5):
        image = first.sample()
        assert image in first
        np.testing.assert_array_equal(image, second.sample())


@pytest.mark.parametrize(
    "value",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32), [[[0, 0, 0]]], None],
)
def test_other_values_do_not(value):
    assert value not in AnyImage()


def test_no_image_belongs_to_it_and_all_such_spaces_are_equal():
    assert np.zeros((0, 0, 3), np.uint8) in AnyImage()
    assert AnyImage() == AnyImage()
    assert AnyImage() != 3
