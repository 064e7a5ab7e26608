import mujoco
import numpy as np
import pytest
from metaworld.env_dict import ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE

from datamodules.control.metaworld import MetaWorldDataModule, action_levels
from gato_lightning.errors import UserError

pytestmark = pytest.mark.filterwarnings("ignore:Constant")  # pytest undoes the module's own filter

TASKS = [
    "reach-v3",
    "drawer-close-v3",
    "drawer-open-v3",
    "button-press-topdown-v3",
    "window-open-v3",
    "door-open-v3",
]


def first_steps(env, seed):
    """Observations of an episode of random actions: everything that the seed should fix."""
    rng = np.random.default_rng(0)
    observations = [env.reset(seed=seed)[0]]
    observations += [env.step(rng.uniform(-1, 1, 4))[0] for _ in range(20)]
    return np.array(observations)


@pytest.mark.parametrize("task", TASKS)
def test_the_expert_succeeds_in_time_and_the_return_is_the_success(task):
    module = MetaWorldDataModule(task, episodes=5, reference_episodes=5)
    returns = [value for job in module.measurements()["expert"] for value in job()]
    assert set(returns) <= {0.0, 1.0}
    assert np.mean(returns) >= 0.8
    episodes = module.jobs("train")[0]()
    assert all(episode.rewards[:-1].sum() == 0 for episode in episodes), "it ends at the first success"


@pytest.mark.parametrize("task", TASKS)
def test_a_seed_fixes_the_episode_whatever_came_before(task):
    used, fresh = MetaWorldDataModule(task).make_env(), MetaWorldDataModule(task).make_env()
    first_steps(used, 4)
    np.testing.assert_array_equal(first_steps(used, 3), first_steps(fresh, 3))
    assert not np.array_equal(used.reset(seed=3)[0], used.reset(seed=5)[0])


def test_the_goal_is_seen_and_drawn_from_the_seed():
    env = MetaWorldDataModule("reach-v3").make_env()
    goals = [env.reset(seed=seed)[0][-3:] for seed in range(5)]
    assert len({tuple(goal) for goal in goals}) == 5
    np.testing.assert_array_equal(goals[-1], env.unwrapped._target_pos)


@pytest.mark.parametrize("task", [*TASKS, "faucet-open-v3", "stick-pull-v3", "hand-insert-v3", "plate-slide-v3"])
def test_the_simulation_is_the_suites_own(task):
    """Bit for bit: resets that leave the first half out, observations put together another way, drawing without shadows."""
    ours = MetaWorldDataModule(task).make_env()
    theirs = ALL_V3_ENVIRONMENTS_GOAL_OBSERVABLE[f"{task}-goal-observable"]()
    theirs._freeze_rand_vec, theirs.seeded_rand_vec = False, True
    rng = np.random.default_rng(0)
    for seed in (3, 4):
        theirs.seed(seed)
        np.testing.assert_array_equal(ours.reset(seed=seed)[0], theirs.reset()[0])
        for _ in range(20):
            action = rng.uniform(-1, 1, 4).astype(np.float32)
            mine, _, success, _, info = ours.step(action)
            observation, _, _, _, told = theirs.step(action)
            np.testing.assert_array_equal(mine, observation)
            assert info == told
            assert success == bool(told["success"])


def test_the_hand_is_put_back_once_a_reset(monkeypatch):
    env = MetaWorldDataModule("drawer-open-v3").make_env()
    env.reset(seed=0)
    steps = []
    simulate = mujoco.mj_step
    monkeypatch.setattr(mujoco, "mj_step", lambda *args, nstep: (steps.append(nstep), simulate(*args, nstep=nstep)))
    env.reset(seed=1)
    assert sum(steps) == 50 * 5, "the suite simulates twice as much and throws half of it away"


def test_spaces_hold_without_making_an_environment():
    module = MetaWorldDataModule("door-open-v3")
    assert module._env is None
    observation, _ = module.env.reset(seed=0)
    assert module.observation_space.contains(observation)
    assert module.env.observation_space == module.observation_space


def test_the_expert_leaves_the_observation_alone():
    module = MetaWorldDataModule("door-open-v3", finest_action=0.25)  # its policy writes into what it is given
    observation, _ = module.env.reset(seed=0)
    before = observation.copy()
    action = module.make_expert(module.env)(observation, None)
    np.testing.assert_array_equal(observation, before)
    assert module.action_space.contains(action)
    assert np.isin(action, [-1, -0.5, -0.25, 0, 0.25, 0.5, 1]).all()


def test_actions_are_rounded_to_the_nearest_power_of_two():
    levels = action_levels(0.1)  # not a power of two: down to the last one above it
    np.testing.assert_array_equal(levels, [-1, -0.5, -0.25, -0.125, 0, 0.125, 0.25, 0.5, 1])
    np.testing.assert_array_equal(action_levels(1.0), [-1, 0, 1])


def test_the_time_limit():
    env = MetaWorldDataModule("door-open-v3", max_episode_steps=7).make_env()
    env.reset(seed=0)
    assert [env.step(np.zeros(4))[3] for _ in range(7)] == [False] * 6 + [True]


def test_it_draws_a_frame():
    env = MetaWorldDataModule("drawer-open-v3").make_env(render_mode="rgb_array")
    env.reset(seed=0)
    try:
        frame = env.render()
    except Exception as error:  # no OpenGL on this machine; what it raises depends on what is missing
        pytest.skip(f"cannot draw here: {error!r}")
    assert frame.shape == (200, 200, 3)
    assert frame.dtype == np.uint8
    assert frame.std() > 10, "not blank"
    env.close()


def test_pictures_take_the_place_of_the_state():
    try:
        module = MetaWorldDataModule("drawer-close-v3", image_size=64, episodes=1)
        (episode,) = module.jobs("train")[0]()
    except Exception as error:  # no OpenGL on this machine; what it raises depends on what is missing
        pytest.skip(f"cannot draw here: {error!r}")
    (by_state,) = MetaWorldDataModule("drawer-close-v3", episodes=1).jobs("train")[0]()
    np.testing.assert_array_equal(episode.actions, by_state.actions)  # the expert still goes by the state
    np.testing.assert_array_equal(episode.observations["hand"], by_state.observations[:, :4])
    images = episode.observations["image"]
    assert images.shape == (len(by_state.actions), 64, 64, 3)
    assert images[0].std() > 10, "not blank"
    assert (images[0] != images[-1]).any(), "the arm moves"
    assert episode.rewards[-1] == 1.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"env_id": "reach-v3", "image_size": 8}, "image_size: 8, expected a whole number, 16 or more"),
        ({"env_id": "drawer-opn-v3"}, "'drawer-opn-v3'; did you mean drawer-open-v3"),
        (
            {"env_id": "reach-v3", "max_episode_steps": 501},
            "max_episode_steps: 501, expected a whole number, 1 or more and at most 500",
        ),
        ({"env_id": "reach-v3", "finest_action": 2}, "finest_action: 2"),
    ],
)
def test_mistakes_are_named(settings, message):
    with pytest.raises(UserError, match=message):
        MetaWorldDataModule(**settings)
