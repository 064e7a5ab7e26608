"""Knapsack and bins: nothing is overfilled, and rewards add up to what was packed."""

import numpy as np
import pytest

from datamodules.control.combinatorial_packing import BIN, BinPacking, Knapsack


def play(problem, rng):
    """A random solution: the observations before each choice, and the rewards."""
    observation, _ = problem.reset(seed=int(rng.integers(100)))
    seen, rewards, done = [], [], False
    while not done:
        seen.append(observation)
        observation, reward, done, _, _ = problem.step(int(rng.integers(problem.action_space.n)))
        rewards.append(reward)
    return seen, rewards


def test_a_knapsack_is_filled_until_nothing_fits():
    rng = np.random.default_rng(0)
    for _ in range(10):
        problem = Knapsack(12)
        seen, rewards = play(problem, rng)
        carried = problem.weights[~problem.left].sum()
        assert seen[0]["room"] == max(problem.weights.sum() // 4, problem.weights.min()) == carried + problem.room
        assert problem.room < problem.weights[problem.left].min()
        assert sum(rewards) == pytest.approx(problem.values[~problem.left].sum() / 50)
        for observation in seen:
            weights, values = observation["items"][observation["items"][:, 0] > 0].T
            assert (weights <= observation["room"]).all()
            assert (np.diff(values / weights) <= 0).all()


def test_each_bin_too_many_costs_one():
    rng = np.random.default_rng(0)
    for _ in range(10):
        problem = BinPacking(12)
        seen, rewards = play(problem, rng)
        assert len(seen) == 12, "an item a step"
        bins = sum(observation["room"] == BIN for observation in seen)
        assert sum(rewards) == pytest.approx(problem.sizes.sum() / BIN - bins)


def test_items_that_fit_are_shown_first_the_largest_of_them_ahead():
    problem = BinPacking(6)
    problem.reset(seed=0)
    problem.sizes = np.array([28, 30, 10, 24, 15, 20])
    problem.choices = problem.listed()
    assert problem.observation()["items"].tolist() == [30, 28, 24, 20, 15, 10]
    observation, reward, *_ = problem.step(0)
    assert observation["room"] == 20
    assert observation["items"].tolist() == [20, 15, 10, 28, 24, 0]
    assert reward == 0
    observation, reward, *_ = problem.step(1)
    assert observation["room"] == BIN, "closed, as nothing else fits into 5"
    assert reward == pytest.approx(-0.1)


def test_bins_are_planned_fuller_than_by_the_largest_first():
    problem = BinPacking(6)
    problem.reset(seed=0)
    problem.sizes = np.array([25, 20, 15, 15, 15, 10])
    problem.choices = problem.listed()
    assert problem.plan() == [0, 2, 5, 1, 3, 4]
    assert problem.value(problem.plan()) == pytest.approx(0.0)
    assert problem.value([0, 1, 2, 3, 4, 5]) == pytest.approx(-1.0)
