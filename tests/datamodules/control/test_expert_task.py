"""What is executed in place of what the expert wants."""

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.expert_task import ControlDataModule


def noisy(space: spaces.Box, noise: float) -> ControlDataModule:
    task = ControlDataModule(noise=noise)
    task.action_space = space
    return task


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1, 1, (2,), np.int8),
        spaces.Box(-128, 127, (2,), np.int8),
        spaces.Box(0, 255, (2,), np.uint8),
        spaces.Box(-(2**63), 2**63 - 1, (2,), np.int64),
        spaces.Box(0, 2**64 - 1, (2,), np.uint64),
        spaces.Box(0, 1, (2,), np.bool_),
        spaces.Box(2, np.inf, (2,)),
        spaces.Box(-1, 1, (2,)),
    ],
)
def test_noise_changes_actions_and_stays_in_the_space(space):
    rng = np.random.default_rng(0)
    for wanted in (space.low, space.high) if np.isfinite(space.high).all() else (space.low,):
        executed = [noisy(space, 0.9).perturb(wanted, rng) for _ in range(100)]
        assert all(space.contains(action) for action in executed)
        assert len(np.unique(executed)) > 1


def test_noise_of_whole_numbers_has_the_mean_of_what_was_wanted():
    rng = np.random.default_rng(0)
    space = spaces.Box(-10, 10, (1000,), np.int64)
    executed = noisy(space, 0.1).perturb(np.full(1000, 5), rng)
    assert abs(executed.mean() - 5) < 0.15  # cut off instead of rounded: 4.5
    assert executed.std() == pytest.approx(1.0, abs=0.15)
