"""Toy text: small environments with optimal experts; value iteration finds them if the transition table is known."""

from collections.abc import Collection, Mapping
from functools import cached_property

import gymnasium
import numpy as np

from datamodules.control.expert_task import Expert
from datamodules.control.gym_suite import GymDataModule

# state -> action -> possible outcomes: (probability, next state, reward, whether the episode ends)
Table = Mapping[int, Mapping[int, list[tuple[float, int, float, bool]]]]

DISCOUNT = 0.99


def optimal_actions(table: Table) -> np.ndarray:
    """Returns the best action of each state, (states,) integers; the first of equally good ones."""
    shape = (len(table), len(table[0]))
    width = max(len(outcomes) for actions in table.values() for outcomes in actions.values())
    # Padding outcomes have probability 0.
    probability, reward, going_on = np.zeros((3, *shape, width))
    following = np.zeros((*shape, width), int)
    for state, actions in table.items():
        for action, outcomes in actions.items():
            for k, (chance, to, gain, ended) in enumerate(outcomes):
                probability[state, action, k], reward[state, action, k] = chance, gain
                following[state, action, k], going_on[state, action, k] = to, not ended
    value, change = np.zeros(shape[0]), 1.0
    while change > 1e-10:
        quality = (probability * (reward + DISCOUNT * going_on * value[following])).sum(-1)  # (states, actions)
        change = np.abs(quality.max(-1) - value).max()
        value = quality.max(-1)
    # Rounded, so that rounding errors do not choose among equally good actions.
    return quality.round(8).argmax(-1)


def blackjack(observation: tuple[int, int, int]) -> int:
    """Returns 1 (draw) or 0 (stand) by basic strategy (Thorp, Beat the Dealer, 1966), which is optimal without card counting.

    Args:
        observation: the player's total, the dealer's card (1 is an ace), and whether the player's ace counts 11.
    """
    total, dealer, soft = (int(value) for value in observation)
    if soft:
        return int(total < (19 if dealer in (9, 10) else 18))
    return int(total < (12 if 4 <= dealer <= 6 else 13 if dealer in (2, 3) else 17))


class ToyTextDataModule(GymDataModule):
    """Taxi, FrozenLake (`env_kwargs: {map_name: 8x8}` for the larger map), CliffWalking and Blackjack."""

    domain = "toy-text"

    def env_ids(self) -> Collection[str]:
        return ("Blackjack-v1", "CliffWalking-v1", "CliffWalkingSlippery-v1", "FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4")

    @cached_property
    def actions(self) -> np.ndarray:
        """The best action of each state of this task."""
        return optimal_actions(self.env.unwrapped.P)

    expert_name = "value iteration"

    def make_expert(self, env: gymnasium.Env) -> Expert:
        if self.env_id == "Blackjack-v1":
            return lambda observation, executed: blackjack(observation)
        return lambda observation, executed: int(self.actions[observation])
