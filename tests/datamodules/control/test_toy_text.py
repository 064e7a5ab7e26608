import functools
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from datamodules.control.toy_text import ToyTextDataModule, blackjack, optimal_actions
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


def drawn(total: int, soft: bool) -> list[tuple[int, bool]]:
    """The thirteen equally likely hands after a card."""
    hands = []
    for card in (1, 2, 3, 4, 5, 6, 7, 8, 9, *[10] * 4):
        value, ace = (total + 11, True) if card == 1 and total + 11 <= 21 else (total + card, soft)
        hands.append((value - 10, False) if value > 21 and ace else (value, ace))
    return hands


@functools.cache
def dealers(total: int, soft: bool) -> dict[int, float]:
    """How likely the dealer, who draws below 17, ends with which total; 0 is a bust."""
    if total >= 17:
        return {total if total <= 21 else 0: 1.0}
    ends: dict[int, float] = defaultdict(float)
    for hand in drawn(total, soft):
        for end, chance in dealers(*hand).items():
            ends[end] += chance / 13
    return ends


@functools.cache
def expected(draws: Callable[[tuple[int, int, bool]], float], total: int, soft: bool, card: int, ace: bool) -> float:
    """The expected return of who draws with some probability, in view of his hand and the dealer's card."""
    if total > 21:
        return -1.0
    standing = sum(chance * np.sign(total - end) for end, chance in dealers(card, ace).items())
    drawing = np.mean([expected(draws, *hand, card, ace) for hand in drawn(total, soft)])
    share = draws((total, 1 if ace else card, soft))
    return share * drawing + (1 - share) * standing


def coin(observation: tuple[int, int, bool]) -> float:
    return 0.5


def test_blackjack_is_played_by_basic_strategy_and_at_random():
    """Their returns are those that follow from the rules."""
    module = ToyTextDataModule("Blackjack-v1", reference_episodes=8000)
    hands = [hand for first in drawn(0, False) for hand in drawn(*first)]
    for policy, draws in (("expert", blackjack), ("random", coin)):
        returns = [value for job in module.measurements()[policy] for value in job()]
        exact = np.mean([expected(draws, *hand, *shown) for hand in hands for shown in drawn(0, False)])
        assert abs(np.mean(returns) - exact) < 4 * np.std(returns) / np.sqrt(len(returns))
    assert exact == pytest.approx(-0.396, abs=0.001)
    (episode,) = ToyTextDataModule("Blackjack-v1", episodes=1).jobs("train")[0]()
    assert all(module.action_space.contains(action) for action in episode.actions)


def test_the_random_policy_ends_where_there_is_no_limit():
    module = ToyTextDataModule("CliffWalking-v1", reference_episodes=2)
    assert max(-value for value in module.measurements()["random"][0]()) <= 500 * 100


def test_an_unknown_environment_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"'Taxi-v3'; did you mean Taxi-v4"):
        ToyTextDataModule("Taxi-v3")
