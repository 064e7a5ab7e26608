"""Patches lie in raster order, and their intervals are the paper's."""

import numpy as np

from gato_lightning.tokens.patches import edges, patch_intervals, to_patches


def test_raster_order():
    image = np.arange(2 * 32 * 48 * 3).reshape(2, 32, 48, 3).astype(np.uint8)
    patches = to_patches(image)
    assert patches.shape == (2, 6, 16, 16, 3)
    np.testing.assert_array_equal(patches[1, 4], image[1, 16:32, 16:32])


def test_edges_of_the_papers_figure():
    assert edges(4).tolist() == [0, 32, 64, 96, 128]
    assert edges(5).tolist() == [0, 26, 51, 77, 102, 128]


def test_worked_example_of_a_4_by_5_grid():
    # Row 1 of 4 is [0.25, 0.5], column 2 of 5 is [0.4, 0.6].
    assert patch_intervals(4, 5)[1 * 5 + 2].tolist() == [32, 64, 51, 77]
