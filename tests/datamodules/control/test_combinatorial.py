"""Combinatorial tasks: seeds fix instances, OR-Tools beats chance, and success is near its plan."""

import sys

import numpy as np
import pytest

from datamodules.collecting.collect_command import collect
from datamodules.control.combinatorial import CombinatorialDataModule
from datamodules.control.suites import suite
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.errors import UserError

TASKS = suite("combinatorial")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_an_episode_is_fixed_by_its_seed(task):
    first, second = (task.make(noise=0.3).play(5, generator(Purpose.NOISE, 5)) for _ in range(2))
    module = task.make()
    for one, other in zip(first.observations, second.observations, strict=True):
        assert module.observation_space.contains(one)
        np.testing.assert_equal(one, other)
    assert first.actions == second.actions
    assert first.rewards == second.rewards
    assert first.terminated


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_expert_beats_chance_and_succeeds(task):
    module = task.make()
    played = [module.play(seed) for seed in range(8)]
    assert all(module.success(one) for one in played)
    random = [module.random_return(seed) for seed in range(8)]
    assert np.mean([one.total_reward for one in played]) > np.mean(random) + np.std(random) / 2


def test_random_play_plans_nothing(monkeypatch):
    module = CombinatorialDataModule("cvrp", 10)
    monkeypatch.setattr("datamodules.control.combinatorial_routes.shortest_routes", None)
    assert module.random_return(0) < -4


def test_noise_takes_one_of_the_first_of_the_list():
    module, rng = CombinatorialDataModule("tsp", 20, noise=1.0), np.random.default_rng(0)
    assert {module.perturb(9, rng) for _ in range(50)} == {0, 1, 2, 3}
    assert CombinatorialDataModule("tsp", 20).perturb(9, rng) == 9


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"problem": "tsq", "size": 10}, "problem: 'tsq', expected 'tsp' or 'cvrp' or 'knapsack' or 'binpacking'"),
        ({"problem": "tsp", "size": 2}, "size: 2, expected a whole number, 3 or more"),
        ({"problem": "cvrp", "size": 12}, "cvrp of size 12, expected 10, 20 or 50"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        CombinatorialDataModule(**settings)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(UserError, match=r"need the extra combinatorial: pip install -e '.\[combinatorial\]'"):
        CombinatorialDataModule("tsp", 10)


def test_the_whole_suite_is_collected(tmp_path, capsys):
    collect(suite="combinatorial", episodes=2, min_score=None, out=str(tmp_path), workers=1)
    told = capsys.readouterr().out
    assert all(task.name in told for task in TASKS)
    assert (tmp_path / "tsp-10" / "expert-v0" / "data" / "metadata.json").exists()
