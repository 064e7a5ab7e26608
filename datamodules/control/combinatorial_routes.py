"""Routes through places in the unit square: the travelling salesman, and vehicles of limited capacity."""

from typing import Any

import numpy as np
from gymnasium import spaces

from datamodules.control.combinatorial_problem import Problem, numbers, padded
from datamodules.control.experts.combinatorial import shortest_routes

# The sizes and capacities of Nazari et al. 2018 (Reinforcement Learning for Solving the Vehicle Routing Problem, section 5).
CAPACITY = {10: 20, 20: 30, 50: 40}
LARGEST_DEMAND = 9


def distances(points: np.ndarray) -> np.ndarray:
    """(n, n) Euclidean distances of (n, 2) points."""
    return np.linalg.norm(points[:, None] - points[None], axis=-1)


class TravellingSalesman(Problem):
    """The shortest closed tour through cities, uniform in the unit square.

    The observation, (n, 2), shows ways (x, y) from the current city: to the first city, then to the cities left, nearest first,
    and zeros. A step costs its length, the last one also that of the way back to the first city.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.observation_space, self.action_space = numbers(-1, 1, size, 2), spaces.Discrete(size - 1)

    def draw(self) -> None:
        self.points = self.np_random.random((self.size, 2))
        self.distances = distances(self.points)
        self.here, self.left = 0, set(range(1, self.size))

    def choose(self, index: int) -> float:
        way = self.distances[self.here, index]
        self.here = index
        self.left.remove(index)
        return -float(way if self.left else way + self.distances[index, 0])

    def listed(self) -> np.ndarray:
        left = np.array(sorted(self.left), np.int64)
        return left[np.argsort(self.distances[self.here, left], kind="stable")]

    def observation(self) -> np.ndarray:
        shown = self.points[[0, *self.choices]] - self.points[self.here]
        return padded(shown, self.size).astype(np.float32)

    def plan(self) -> list[int]:
        places = [self.here, 0, *sorted(self.left)] if self.here else [0, *sorted(self.left)]
        (route,) = shortest_routes(self.distances[np.ix_(places, places)], [0], end=1 if self.here else 0)
        tour = [places[stop] for stop in route]
        return tour if self.here else nearer_end_first(tour, self.distances[0])


class VehicleRouting(Problem):
    """The shortest routes that bring customers their demand, from a depot and back, with a vehicle of limited capacity.

    Places are uniform in the unit square. The vehicle may return to the depot at any time, and is full again then. The
    observation shows `load`, the share of the capacity that is left, and `places`, (n, 3): the ways (x, y) from here and the
    demands, as shares of the capacity, of the customers left; first those that can be next, nearest first, then those that
    demand more than the load, nearest first, and zeros. The depot, away from it, is one that can be next and demands nothing.
    A step costs its length, the last one also that of the way back to the depot.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.capacity = CAPACITY[size]
        self.observation_space = spaces.Dict({"load": numbers(0, 1, 1), "places": numbers(-1, 1, size, 3)})
        self.action_space = spaces.Discrete(size)

    def draw(self) -> None:
        self.points = self.np_random.random((self.size + 1, 2))  # the depot is the first
        self.demands = np.append(0, self.np_random.integers(1, LARGEST_DEMAND + 1, self.size))
        self.distances = distances(self.points)
        self.here, self.load, self.left = 0, self.capacity, set(range(1, self.size + 1))

    def choose(self, index: int) -> float:
        way = self.distances[self.here, index]
        self.here = index
        self.load = self.load - int(self.demands[index]) if index else self.capacity
        self.left.discard(index)
        return -float(way if self.left else way + self.distances[index, 0])

    def listed(self) -> np.ndarray:
        return self._nearest_first(lambda demands: demands <= self.load)

    def _nearest_first(self, which: Any) -> np.ndarray:
        """The customers left whose demand is so, and the depot with them, away from it."""
        depot = [0] if self.here and self.left else []
        places = np.array([*depot, *sorted(self.left)], np.int64)
        places = places[which(self.demands[places])]
        return places[np.argsort(self.distances[self.here, places], kind="stable")]

    def observation(self) -> dict[str, np.ndarray]:
        shown = np.append(self.choices, self._nearest_first(lambda demands: demands > self.load))
        ways, demands = self.points[shown] - self.points[self.here], self.demands[shown, None] / self.capacity
        places = padded(np.concatenate([ways, demands], axis=1), self.size)
        return {"load": np.array([self.load / self.capacity], np.float32), "places": places.astype(np.float32)}

    def plan(self) -> list[int]:
        places = [0, *sorted(self.left)]
        starts = [places.index(0)]
        if self.here:  # the vehicle that is on its way, as a place of its own
            places.append(self.here)
            starts.insert(0, len(places) - 1)
        demands = np.where(np.array(places) == self.here, 0, self.demands[places])
        # As any two routes of least number carry more than one load together, twice the loads are enough.
        more = 2 * -(-int(demands.sum()) // self.capacity)
        rooms = [self.load if start else self.capacity for start in starts] + [self.capacity] * more
        found = shortest_routes(self.distances[np.ix_(places, places)], starts + [0] * more, 0, demands, rooms)
        routes = [[places[stop] for stop in route] for route in found]
        first = [routes.pop(0)] if self.here else []
        others = [nearer_end_first(route, self.distances[0]) for route in routes if route]
        others.sort(key=lambda route: self.distances[0, route[0]])
        return [place for route in first + others for place in (0, *route)][1:]


def nearer_end_first(route: list[int], distance: np.ndarray) -> list[int]:
    """A closed route in that one of its two directions which goes to the nearer end first, so that all plans agree on one."""
    return route if distance[route[0]] <= distance[route[-1]] else route[::-1]
