"""OR-Tools' plans: valid, the same each time, and the best where all can be tried."""

from itertools import combinations, pairwise, permutations

import numpy as np
import pytest

from datamodules.control.experts.combinatorial import fullest, most_valuable, shortest_routes
from gato_lightning.errors import ExpertFailure


def square(seed: int, places: int) -> np.ndarray:
    points = np.random.default_rng(seed).random((places, 2))
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


def length(distances: np.ndarray, *stops: int) -> float:
    return float(sum(distances[a, b] for a, b in pairwise(stops)))


@pytest.mark.parametrize("end", [0, 1])
def test_a_route_is_the_shortest(end):
    for seed in range(4):
        distances = square(seed, 8)
        others = [place for place in range(8) if place not in (0, end)]
        (route,) = shortest_routes(distances, [0], end)
        assert sorted(route) == others
        best = min(length(distances, 0, *order, end) for order in permutations(others))
        assert length(distances, 0, *route, end) == pytest.approx(best, abs=1e-4)


def test_no_route_carries_more_than_its_room():
    demands = np.array([0, 5, 6, 7, 3, 4, 5, 0])
    routes = shortest_routes(square(0, 8), [7, 0, 0, 0], 0, demands, [6, 12, 12, 12])
    assert sorted(place for route in routes for place in route) == [1, 2, 3, 4, 5, 6]
    assert demands[routes[0]].sum() <= 6
    assert max(demands[route].sum() for route in routes) <= 12


def test_the_way_home_of_an_empty_route_counts():
    """Whoever stands beside the last customer serves it, and no other vehicle goes there from the end."""
    places = np.array([0.0, 0.3, 1.0])  # on a line: the end, the customer, the vehicle on its way
    routes = shortest_routes(np.abs(places[:, None] - places), [2, 0], 0, np.array([0, 1, 0]), [5, 5])
    assert routes == [[1], []]


def test_where_there_are_no_routes_the_expert_gives_up():
    with pytest.raises(ExpertFailure, match="no routes"):
        shortest_routes(square(0, 3), [0], 0, np.array([0, 5, 6]), [10])


def test_the_same_instance_has_one_plan():
    distances = square(3, 20)
    assert shortest_routes(distances, [0], 0) == shortest_routes(distances, [0], 0)


def test_items_are_the_most_valuable():
    rng = np.random.default_rng(0)
    for _ in range(10):
        values, weights = rng.integers(1, 51, (2, 9))
        room = int(weights.sum()) // 3
        chosen = most_valuable(values, weights, room)
        sets = [list(some) for count in range(10) for some in combinations(range(9), count)]
        assert values[chosen].sum() == max(values[some].sum() for some in sets if weights[some].sum() <= room)
        assert weights[chosen].sum() <= room


def test_a_room_is_filled_by_the_fewest_items():
    assert fullest(np.array([30, 20, 15, 10, 5]), 50) == [0, 1]
    assert fullest(np.array([30, 15, 10, 4]), 16) == [1]
    assert fullest(np.array([30, 12, 11, 4]), 16) == [1, 3]
