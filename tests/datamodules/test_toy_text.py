import numpy as np
import pytest

from datamodules.toy_text import ToyTextDataModule, optimal_actions
from gato_lightning.errors import UserError


def test_value_iteration_prefers_the_larger_reward_that_is_worth_the_way():
    # A corridor 0-1-2: left of 1 pays 1 at once, right of it a step costs nothing and then pays 2.
    table = {
        0: {0: [(1.0, 0, 0.0, True)], 1: [(1.0, 0, 0.0, True)]},
        1: {0: [(1.0, 0, 1.0, True)], 1: [(1.0, 2, 0.0, False)]},
        2: {0: [(1.0, 1, 0.0, False)], 1: [(0.5, 2, 0.0, False), (0.5, 0, 2.0, True)]},
    }
    assert optimal_actions(table).tolist() == [0, 1, 1], "of equally good actions the first"


@pytest.mark.parametrize(
    ("env_id", "env_kwargs", "at_least"),
    [
        ("Taxi-v4", {}, 6.5),
        ("FrozenLake-v1", {}, 0.55),
        ("FrozenLake-v1", {"map_name": "8x8", "max_episode_steps": 200}, 0.7),
        ("FrozenLake8x8-v1", {}, 0.7),
        ("CliffWalking-v1", {}, -13),
    ],
)
def test_the_expert_is_optimal(env_id, env_kwargs, at_least):
    module = ToyTextDataModule(env_id, env_kwargs=env_kwargs, reference_episodes=50)
    assert np.mean([value for job in module.measurements()["expert"] for value in job()]) >= at_least


def test_blackjack_is_played_by_basic_strategy():
    """Its expected return is -0.05 a game with this dealer; the random policy loses 0.4. 2000 games: within 0.06."""
    module = ToyTextDataModule("Blackjack-v1", reference_episodes=2000)
    means = {policy: np.mean([value for job in jobs for value in job()]) for policy, jobs in module.measurements().items()}
    assert abs(means["expert"] + 0.045) < 0.06
    assert means["random"] < -0.3
    (episode,) = ToyTextDataModule("Blackjack-v1", episodes=1).jobs("train")[0]()
    assert all(module.action_space.contains(action) for action in episode.actions)


def test_the_random_policy_ends_where_there_is_no_limit():
    module = ToyTextDataModule("CliffWalking-v1", reference_episodes=2)
    assert max(-value for value in module.measurements()["random"][0]()) <= 500 * 100


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"'Taxi-v3'; did you mean Taxi-v4"):
        ToyTextDataModule("Taxi-v3")
