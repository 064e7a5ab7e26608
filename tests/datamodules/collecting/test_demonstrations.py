"""Demonstrations as a data set: what is kept of them, and what is said of it."""

import numpy as np

from datamodules.collecting.demonstrations import best_windowed_mean, success_rate


def test_the_best_windowed_mean_is_gatos():
    returns = np.array([0.0] * 10 + [1.0, 3.0] + [0.0] * 8)  # N = 20, so windows of two
    assert best_windowed_mean(returns) == 2.0
    assert best_windowed_mean(np.array([1.0, 5.0, 2.0])) == 5.0


def test_failed_episodes_count_against_the_success_rate():
    won, failed, unknown = {"return": 1.0, "success": True}, {"failure": "crashed"}, {"return": 1.0, "success": None}
    assert success_rate([won, won, won, failed]) == 0.75
    assert success_rate([won, unknown]) is None
