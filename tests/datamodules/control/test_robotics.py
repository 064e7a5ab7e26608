"""gymnasium-robotics: goals in the observation, episodes that a seed fixes, controllers that reach the goal."""

import sys

import numpy as np
import pytest

from datamodules.control.robotics import EXPERTS, FETCH, MAZES, RoboticsDataModule
from datamodules.control.suites import suite
from gato_lightning.errors import UserError


def first_steps(env, seed):
    """Observations of an episode of random actions: everything that the seed should fix."""
    rng = np.random.default_rng(0)
    observations = [env.reset(seed=seed)[0]]
    observations += [env.step(rng.uniform(-1, 1, env.action_space.shape).astype(np.float32))[0] for _ in range(10)]
    return [np.concatenate(list(observation.values())) for observation in observations]


def test_every_task_with_an_expert_is_listed():
    assert {task.init_args["env_id"] for task in suite("robotics")} == set(EXPERTS)


@pytest.mark.parametrize("env_id", EXPERTS)
def test_the_expert_beats_the_random_policy(env_id):
    module = RoboticsDataModule(env_id)
    played = [module.play(seed) for seed in range(6)]
    random = [module.random_return(seed) for seed in range(6)]
    assert np.mean([episode.total_reward for episode in played]) > np.mean(random) + (5 if env_id in FETCH else 0.3)
    assert np.mean([module.success(episode) for episode in played]) >= (0.5 if env_id == "FetchSlide-v4" else 1.0)
    assert all(module.action_space.contains(action) for episode in played for action in episode.actions)
    assert all(module.observation_space.contains(observation) for observation in played[0].observations)


@pytest.mark.parametrize("env_id", EXPERTS)
def test_a_seed_fixes_the_episode_whatever_came_before(env_id):
    used, fresh = (RoboticsDataModule(env_id).make_env() for _ in range(2))
    first_steps(used, 4)
    np.testing.assert_array_equal(first_steps(used, 3), first_steps(fresh, 3))
    assert not np.array_equal(used.reset(seed=3)[0]["desired_goal"], used.reset(seed=5)[0]["desired_goal"])


def test_the_puck_is_struck_the_same_however_often_the_stroke_was_tried():
    module = RoboticsDataModule("FetchSlide-v4")
    played = module.play(1)
    observation, _ = module.env.reset(seed=1)
    for action, expected in zip(played.actions, played.observations, strict=False):
        np.testing.assert_array_equal(observation["observation"], expected["observation"])
        observation, *_ = module.env.step(action)


@pytest.mark.parametrize("env_id", MAZES)
def test_a_maze_ends_at_its_goal_with_the_only_reward(env_id):
    module = RoboticsDataModule(env_id, noise=0.3)
    played = module.play(0, np.random.default_rng(0))
    assert played.terminated
    assert played.rewards[-1] == 1.0
    assert sum(played.rewards) == 1.0
    assert len(played.rewards) < 200


def test_it_draws_a_frame():
    env = RoboticsDataModule("FetchPush-v4").make_env(render_mode="rgb_array")
    env.reset(seed=0)
    try:
        frame = env.render()
    except Exception as error:  # no OpenGL on this machine; what it raises depends on what is missing
        pytest.skip(f"cannot draw here: {error!r}")
    assert frame.dtype == np.uint8
    assert frame.std() > 10, "not blank"
    env.close()


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "gymnasium_robotics", None)
    with pytest.raises(UserError, match=r"need the extra robotics: pip install -e '.\[robotics\]'"):
        RoboticsDataModule("FetchReach-v4")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env_id": "FetchReach-v1"}, "unknown robotics environment 'FetchReach-v1'; did you mean FetchReach-v4"),
        ({"env_id": "PointMaze_UMaze-v3", "env_kwargs": {"colour": 1}}, "PointMaze_UMaze-v3 cannot be made with env_kwargs"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        RoboticsDataModule(**settings)
