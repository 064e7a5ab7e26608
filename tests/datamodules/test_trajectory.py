import numpy as np
import pytest
from gymnasium import spaces

from datamodules.trajectory import sampler


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1.0, 1.0, (4,), np.float32),
        spaces.Box(np.array([[-2.0, 0.0]]), np.array([[0.5, 1e6]]), dtype=np.float64),
        spaces.Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float32),
        spaces.Box(0, 3, (2,), np.int64),
        spaces.Discrete(5),
    ],
)
def test_what_is_drawn_is_gymnasiums(space):
    space.seed(3)
    expected = [space.sample() for _ in range(50)]
    space.seed(3)
    draw = sampler(space)
    for value in expected:
        drawn = draw()
        np.testing.assert_array_equal(drawn, value)
        assert drawn.dtype == value.dtype
