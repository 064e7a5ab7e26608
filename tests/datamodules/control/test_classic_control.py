import numpy as np
import pytest

from datamodules.control.classic_control import LAWS, ClassicControlDataModule
from gato_lightning.errors import UserError

# A bound that the mean of 25 episodes clears with room to spare.
AT_LEAST = {
    "Acrobot-v1": -95,
    "CartPole-v1": 500,
    "MountainCar-v0": -125,
    "MountainCarContinuous-v0": 95,
    "Pendulum-v1": -190,
}


def returns(module: ClassicControlDataModule, policy: str) -> list[float]:
    return [value for job in module.measurements()[policy] for value in job()]


@pytest.mark.parametrize("env_id", LAWS)
def test_the_expert_solves_the_task(env_id):
    module = ClassicControlDataModule(env_id, reference_episodes=25)
    assert np.mean(returns(module, "expert")) >= AT_LEAST[env_id]


@pytest.mark.parametrize("env_id", LAWS)
def test_the_expert_acts_within_the_space(env_id):
    module = ClassicControlDataModule(env_id, episodes=1, noise=0.2)
    (episode,) = module.jobs("train")[0]()
    assert all(module.action_space.contains(action) for action in episode.actions)


@pytest.mark.parametrize("env_id", LAWS)
def test_a_seed_fixes_the_episode(env_id):
    first, second = (ClassicControlDataModule(env_id, episodes=1, noise=0.2).jobs("train")[0]()[0] for _ in range(2))
    np.testing.assert_array_equal(first.observations, second.observations)
    np.testing.assert_array_equal(first.actions, second.actions)


def test_the_pendulum_is_caught_again_after_every_push():
    module = ClassicControlDataModule("Pendulum-v1", reference_episodes=25)
    env = module.make_env()
    observation, _ = env.reset(seed=0)
    rng, expert = np.random.default_rng(0), module.make_expert(env)
    for _ in range(10):
        env.unwrapped.state = rng.uniform([-np.pi, -8], [np.pi, 8])
        for _ in range(120):
            observation, *_ = env.step(expert(observation, None))
        assert observation[0] > 0.99, "upright"


def test_the_pendulums_torques_are_few():
    module = ClassicControlDataModule("Pendulum-v1", episodes=5, noise=1.5)
    torques = np.concatenate([episode.actions for episode in module.jobs("train")[0]()])
    assert set(torques.ravel()) <= set(np.arange(-2, 2.5, 0.5))


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"'CartPole-v2'; did you mean CartPole-v1"):
        ClassicControlDataModule("CartPole-v2")


def test_a_wrong_environment_setting_is_named():
    with pytest.raises(UserError, match=r"CartPole-v1 cannot be made.*gravitty"):
        ClassicControlDataModule("CartPole-v1", env_kwargs={"gravitty": 1})


def test_it_draws_a_frame():
    env = ClassicControlDataModule("CartPole-v1").make_env(render_mode="rgb_array")
    env.reset(seed=0)
    frame = env.render()
    assert frame.ndim == 3
    assert frame.dtype == np.uint8
    env.close()
