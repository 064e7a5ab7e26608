"""Meta-World's simulation without its slow parts."""

import itertools

import mujoco
import numpy as np
import scipy.spatial.transform

from datamodules.control.metaworld_simulation import Rotation


def test_quaternions_are_scipys():
    rng = np.random.default_rng(0)
    turns = [rng.normal(size=4) * scale for scale in (1, (1, 1e-9, 1e-9, 1e-9), (1e-9, 1, 1e-9, 1)) for _ in range(100)]
    turns += [turn for turn in map(np.array, itertools.product((-1.0, 0.0, 1.0), repeat=4)) if turn.any()]  # ties too
    for turn in turns:
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, turn / np.linalg.norm(turn))
        matrix = matrix.reshape(3, 3)
        expected = scipy.spatial.transform.Rotation.from_matrix(matrix).as_quat()
        np.testing.assert_array_equal(Rotation.from_matrix(matrix).as_quat(), expected)
