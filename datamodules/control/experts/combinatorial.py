"""Solvers of OR-Tools: routes, and a knapsack. Limits count solutions, not seconds, so that the same instance has one plan."""

from collections.abc import Sequence

import numpy as np

from gato_lightning.errors import ExpertFailure

MOST_SOLUTIONS, SOLUTIONS_BY_PLACES = 100, 2000  # that the search for routes looks at; of many places each takes longer
UNIT = 1e5  # whole numbers a unit of distance


def shortest_routes(
    distances: np.ndarray,
    starts: Sequence[int],
    end: int,
    demands: np.ndarray | None = None,
    rooms: Sequence[int] = (),
) -> list[list[int]]:
    """Routes of least total length from their starts to an end, which visit all other places once; near the optimum.

    Args:
        distances: (m, m) of places.
        starts: of the routes; a route may stay empty.
        end: of all routes.
        demands: (m,) whole numbers; None: nothing is demanded.
        rooms: the most that each route may carry.

    Returns:
        The places on each route between its start and its end.

    Raises:
        ExpertFailure: there are none.
    """
    from ortools.constraint_solver import pywrapcp, routing_enums_pb2

    places = pywrapcp.RoutingIndexManager(len(distances), len(starts), list(starts), [end] * len(starts))
    model = pywrapcp.RoutingModel(places)
    lengths = np.rint(distances * UNIT).astype(int).tolist()
    model.SetArcCostEvaluatorOfAllVehicles(model.RegisterTransitMatrix(lengths))
    for vehicle in range(len(starts)):
        model.SetVehicleUsedWhenEmpty(True, vehicle)  # else the way from its start to the end would cost nothing
    if demands is not None:
        carried = model.RegisterUnaryTransitVector(demands.tolist())
        model.AddDimensionWithVehicleCapacity(carried, 0, list(rooms), True, "load")
    search = pywrapcp.DefaultRoutingSearchParameters()
    search.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PATH_CHEAPEST_ARC
    search.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
    search.solution_limit = min(MOST_SOLUTIONS, SOLUTIONS_BY_PLACES // len(distances))
    solution = model.SolveWithParameters(search)
    if solution is None:
        raise ExpertFailure("OR-Tools finds no routes")
    routes: list[list[int]] = []
    for vehicle in range(len(starts)):
        stop, route = solution.Value(model.NextVar(model.Start(vehicle))), []
        while not model.IsEnd(stop):
            route.append(places.IndexToNode(stop))
            stop = solution.Value(model.NextVar(stop))
        routes.append(route)
    return routes


def most_valuable(values: np.ndarray, weights: np.ndarray, room: int) -> list[int]:
    """The items of most value whose weights together are at most `room`, in ascending order; the optimum.

    Args:
        values, weights: (n,) whole numbers, above 0.
        room: a whole number.
    """
    from ortools.algorithms.python import knapsack_solver

    branch_and_bound = knapsack_solver.SolverType.KNAPSACK_MULTIDIMENSION_BRANCH_AND_BOUND_SOLVER
    solver = knapsack_solver.KnapsackSolver(branch_and_bound, "items")
    solver.init(values.tolist(), [weights.tolist()], [int(room)])
    solver.solve()
    return [k for k in range(len(values)) if solver.best_solution_contains(k)]


def fullest(sizes: np.ndarray, room: int) -> list[int]:
    """The items that fill a room best, by fewest items among equally good ones; in ascending order."""
    return most_valuable(sizes * (len(sizes) + 1) - 1, sizes, room)
