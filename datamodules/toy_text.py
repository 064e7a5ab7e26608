"""Toy text: small worlds whose transition table is known, so the expert is optimal by value iteration."""

from collections.abc import Collection, Mapping
from functools import cached_property

import gymnasium
import numpy as np

from datamodules.control import Expert
from datamodules.gym_suite import GymDataModule

# state -> action -> possible outcomes: (probability, next state, reward, whether the episode ends)
Table = Mapping[int, Mapping[int, list[tuple[float, int, float, bool]]]]

DISCOUNT = 0.99


def optimal_actions(table: Table) -> np.ndarray:
    """The best action of each state, (states,) integers; among equally good ones the first."""
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


class ToyTextDataModule(GymDataModule):
    """Taxi, FrozenLake (`env_kwargs: {map_name: 8x8}` for the larger map) and CliffWalking."""

    domain = "toy-text"

    def env_ids(self) -> Collection[str]:
        return ("CliffWalking-v1", "CliffWalkingSlippery-v1", "FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4")

    @cached_property
    def actions(self) -> np.ndarray:
        """The best action of each state of this task."""
        return optimal_actions(self.env.unwrapped.P)

    def make_expert(self, env: gymnasium.Env) -> Expert:
        return lambda observation, executed: int(self.actions[observation])
