import numpy as np
import pytest

from datamodules.control.experts.ogbench_manipulation import changed, lights_out


@pytest.mark.parametrize("shape", [(3, 3), (4, 4), (2, 5)])
def test_lights_out_is_solved_with_few_presses(shape):
    rng = np.random.default_rng(0)
    for _ in range(10):
        presses = rng.random(shape) < 0.4
        wrong = changed(presses)
        solution = lights_out(wrong)
        np.testing.assert_array_equal(changed(solution), wrong)
        assert solution.sum() <= presses.sum()


def test_a_press_changes_itself_and_its_neighbours():
    presses = np.zeros((3, 3), bool)
    presses[0, 0] = True
    np.testing.assert_array_equal(changed(presses), [[1, 1, 0], [1, 0, 0], [0, 0, 0]])
