"""Images as tokens: non-overlapping 16x16 patches in raster order, and where each lies (Gato, section 2.1, appendix C.3)."""

import numpy as np

PATCH = 16  # pixels on a side; Gato, section 2.1
NUM_POSITIONS = 128  # bins of a normalised patch position; Gato, appendix C.3


def num_patches(image: np.ndarray) -> int:
    """Patches of an image (H, W, 3), those that its sides fill in part included."""
    return -(-image.shape[0] // PATCH) * -(-image.shape[1] // PATCH)


def to_patches(images: np.ndarray) -> np.ndarray:
    """Cuts images into patches.

    Args:
        images: (N, H, W, 3) uint8 with H and W multiples of 16.

    Returns:
        (N, H/16 * W/16, 16, 16, 3) uint8, row by row.
    """
    n, height, width, channels = images.shape
    rows, columns = height // PATCH, width // PATCH
    grid = images.reshape(n, rows, PATCH, columns, PATCH, channels)
    return grid.transpose(0, 1, 3, 2, 4, 5).reshape(n, rows * columns, PATCH, PATCH, channels)


def from_patches(patches: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """One image from its patches.

    Args:
        patches: (rows * columns, 16, 16, 3) uint8, row by row.
        rows: of patches.
        columns: of patches.

    Returns:
        (rows * 16, columns * 16, 3) uint8.
    """
    grid = patches.reshape(rows, columns, PATCH, PATCH, 3)
    return grid.transpose(0, 2, 1, 3, 4).reshape(rows * PATCH, columns * PATCH, 3)


def edges(count: int) -> np.ndarray:
    """The borders of `count` equal intervals of [0, 1], each times 128 and rounded: (count + 1,) int64.

    A 4-row grid gives 0, 32, 64, 96, 128; a 5-column grid 0, 26, 51, 77, 102, 128 (the paper's figure).
    """
    return np.rint(np.arange(count + 1) * (NUM_POSITIONS / count)).astype(np.int64)


def patch_intervals(rows: int, columns: int) -> np.ndarray:
    """Row and column interval of every patch of a grid, in raster order.

    Returns:
        (rows * columns, 4) int64: row low, row high, column low, column high, in [0, 128], both ends included; an index
        drawn from an interval is clamped to the table's last row, 127.
    """
    row_edges, column_edges = edges(rows), edges(columns)
    row, column = np.divmod(np.arange(rows * columns), columns)
    return np.stack([row_edges[row], row_edges[row + 1], column_edges[column], column_edges[column + 1]], axis=1)
