"""A space of images of any size."""

from typing import Any

import numpy as np
from gymnasium import Space


class AnyImage(Space[np.ndarray]):
    """uint8 images (H, W, 3) of any size; (0, 0, 3) is no image, which has no tokens.

    Columns over timesteps are lists of such arrays.
    """

    def __init__(self) -> None:
        super().__init__(shape=None, dtype=np.uint8)

    def sample(self, mask: Any = None, probability: Any = None) -> np.ndarray:
        """An image of noise with sides from 1 to 64 pixels."""
        height, width = self.np_random.integers(1, 65, 2)
        return self.np_random.integers(0, 256, (height, width, 3), dtype=np.uint8)

    def contains(self, x: Any) -> bool:
        """Whether it is such an image."""
        return isinstance(x, np.ndarray) and x.dtype == np.uint8 and x.ndim == 3 and x.shape[2] == 3

    def __repr__(self) -> str:
        return "AnyImage()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyImage)
