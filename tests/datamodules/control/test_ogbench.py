"""OGBench: goals in the observation, episodes that a seed fixes, oracles that reach the goal."""

import sys
from functools import cache

import numpy as np
import pytest

from datamodules.control.ogbench import ARM, EXPERTS, MAZES, OGBenchDataModule
from datamodules.control.suites import find, suite
from gato_lightning.errors import UserError

TASKS = [task.name for task in suite("ogbench")]


@cache
def module(name):
    """The task; made once, as that takes seconds."""
    return OGBenchDataModule(**find(name).init_args, noise=0.1)


def first_steps(env, seed):
    """Observations of an episode of random actions: everything that the seed should fix."""
    rng = np.random.default_rng(0)
    observations = [env.reset(seed=seed)[0]]
    observations += [env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0] for _ in range(10)]
    return [np.concatenate(list(observation.values())) for observation in observations]


def test_every_environment_with_an_expert_is_listed():
    assert {find(name).init_args["env_id"] for name in TASKS} == set(EXPERTS)


@pytest.mark.parametrize("name", TASKS)
def test_the_expert_reaches_the_goal_where_the_episode_ends(name):
    task = module(name)
    played = task.play(1, np.random.default_rng(1))
    assert played.terminated
    assert task.success(played)
    assert sum(played.rewards) == played.rewards[-1] == 1.0
    assert all(task.action_space.contains(action) for action in played.actions)
    assert all(task.observation_space.contains(observation) for observation in played.observations)


@pytest.mark.parametrize("name", ["ogbench-cube-single", "ogbench-pointmaze-teleport"])
def test_a_seed_fixes_the_episode_whatever_came_before(name):
    used, fresh = module(name).env, module(name).make_env()
    first_steps(used, 4)
    np.random.rand()  # noqa: NPY002  (the suite itself draws from these numbers)
    np.testing.assert_array_equal(first_steps(used, 3), first_steps(fresh, 3))
    assert len({tuple(used.reset(seed=seed)[0]["goal"].round(2)) for seed in range(20)}) >= 4, "tasks are drawn"


def test_the_global_random_numbers_are_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first_steps(module("ogbench-pointmaze-medium").env, 0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_one_task_is_one_goal():
    env = module("ogbench-scene-open").env
    assert len({tuple(env.reset(seed=seed)[0]["goal"].round(1)) for seed in range(4)}) == 1


def test_the_random_policy_fails_in_time():
    task = OGBenchDataModule("pointmaze-medium-v0", max_episode_steps=30)
    assert task.random_return(0) == 0.0
    task.env.reset(seed=0)
    assert [task.env.step(np.zeros(2))[3] for _ in range(30)] == [False] * 29 + [True]


@pytest.mark.parametrize("env_id", [next(iter(ARM)), next(iter(MAZES))])
def test_it_draws_a_frame(env_id):
    env = OGBenchDataModule(env_id).make_env(render_mode="rgb_array")
    env.reset(seed=0)
    try:
        frame = env.render()
    except Exception as error:  # no OpenGL on this machine; what it raises depends on what is missing
        pytest.skip(f"cannot draw here: {error!r}")
    assert frame.shape == (200, 200, 3)
    assert frame.std() > 10, "not blank"
    env.close()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ogbench", None)
    with pytest.raises(UserError, match=r"need the extra ogbench: pip install -e '.\[ogbench\]'"):
        OGBenchDataModule("cube-single-v0")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env_id": "cube-singel-v0"}, "'cube-singel-v0'; did you mean cube-single-v0"),
        ({"env_id": "scene-v0", "task_id": 6}, "task_id: 6, expected a whole number, 1 or more and at most 5"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        OGBenchDataModule(**settings)
