"""Tours and routes: what is shown is what can be chosen, and lengths are those of the routes."""

from itertools import permutations

import numpy as np
import pytest

from datamodules.control.combinatorial_routes import TravellingSalesman, VehicleRouting


def test_the_tour_is_the_shortest_in_the_direction_of_its_nearer_end():
    for seed in range(5):
        problem = TravellingSalesman(8)
        problem.reset(seed=seed)
        tour = problem.plan()
        lengths = [-problem.value(order) for order in permutations(range(1, 8))]
        assert -problem.value(tour) == pytest.approx(min(lengths), abs=1e-4)
        assert problem.distances[0, tour[0]] <= problem.distances[0, tour[-1]]


def test_the_rewards_of_a_tour_are_its_length():
    problem = TravellingSalesman(4)
    problem.reset(seed=0)
    problem.points = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0], [1.0, 0.0]])
    problem.distances = np.linalg.norm(problem.points[:, None] - problem.points[None], axis=-1)
    assert problem.value([1, 2, 3]) == pytest.approx(-4.0)
    assert problem.value([2, 1, 3]) == pytest.approx(-2 - 2 * np.sqrt(2))


def test_an_action_goes_to_the_place_in_its_row():
    problem = TravellingSalesman(9)
    observation, _ = problem.reset(seed=1)
    rng = np.random.default_rng(0)
    for left in range(8, 0, -1):
        ways = np.linalg.norm(observation[1 : left + 1], axis=1)
        assert (np.diff(ways) >= 0).all(), "nearest first"
        assert not observation[left + 1 :].any(), "what is visited is not shown"
        action, here = int(rng.integers(8)), problem.points[problem.here]
        shown = observation[1 + action % left]
        observation, *_ = problem.step(action)
        np.testing.assert_allclose(problem.points[problem.here], here + shown, atol=1e-6)


def test_routes_serve_everyone_within_the_capacity():
    for seed in range(5):
        problem = VehicleRouting(10)
        observation, _ = problem.reset(seed=seed)
        rng, done, load = np.random.default_rng(seed), False, 20
        while not done:
            options = observation["places"][: len(problem.choices)]
            assert (options[:, 2] <= observation["load"] + 1e-6).all()
            assert observation["load"] == pytest.approx(load / 20)
            observation, _, done, _, _ = problem.step(int(rng.integers(10)))
            load = load - problem.demands[problem.here] if problem.here else 20
            assert load >= 0
        assert not problem.left


def test_who_demands_too_much_is_shown_behind_the_others():
    problem = VehicleRouting(10)
    problem.reset(seed=0)
    problem.here, problem.load, problem.demands[1:] = 1, 5, [9, 3, 9, 3, 9, 3, 9, 3, 9, 3]
    problem.left -= {1}
    problem.choices = problem.listed()
    demands = problem.observation()["places"][:, 2] * 20
    assert sorted(demands[:6].round().tolist()) == [0, 3, 3, 3, 3, 3], "the depot demands nothing"
    assert demands[6:].round().tolist() == [9, 9, 9, 9]
