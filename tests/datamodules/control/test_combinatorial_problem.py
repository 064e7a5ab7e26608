"""Problems and their plans: what counts as a success, and how the expert goes on after a slip."""

import numpy as np
import pytest

from datamodules.control.combinatorial_problem import Planned, Planner
from datamodules.control.combinatorial_routes import TravellingSalesman, VehicleRouting


def test_success_is_a_return_within_three_percent_of_the_plan():
    env = Planned(TravellingSalesman(8))
    told, seeds = [], range(10)
    for seed in seeds:
        env.reset(seed=seed)
        done, total, planned = False, 0.0, env.unwrapped.value(env.plan)
        while not done:
            _, reward, done, _, info = env.step(0)  # the nearest city
            total += reward
        told.append(info["success"])
        assert info["success"] == (total >= 1.03 * planned - 1e-6)
    assert 0 < sum(told) < len(seeds)


@pytest.mark.parametrize("problem", [TravellingSalesman(10), VehicleRouting(10)])
def test_after_a_slip_the_way_on_is_planned_anew(problem):
    env = Planned(problem)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        expert, executed, done, rng = Planner(env), None, False, np.random.default_rng(seed)
        while not done:
            wanted = expert(observation, executed)
            assert 0 <= wanted < len(problem.choices)
            slipped = rng.random() < 0.5
            before = problem.value(problem.plan())
            executed = int(rng.integers(3)) if slipped else wanted
            observation, reward, done, _, _ = env.step(executed)
            if not slipped:
                assert reward + problem.value(problem.plan() if not done else []) == pytest.approx(before, rel=0.02)
