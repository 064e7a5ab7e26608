"""Packing items of whole-numbered sizes: a knapsack, and bins."""

import numpy as np
from gymnasium import spaces

from datamodules.control.combinatorial_problem import Problem, padded
from datamodules.control.experts.combinatorial import fullest, most_valuable

LARGEST = 50  # value and weight of an item
CAPACITY_SHARE = 4  # the knapsack holds the weight of one in so many items
BIN = 50  # size of a bin
SMALLEST_ITEM, LARGEST_ITEM = 5, 30  # sizes that go into a bin


class Knapsack(Problem):
    """The most valuable items that a knapsack can carry.

    Values and weights are uniform in 1 to 50; the knapsack carries a quarter of the total weight. The observation shows `room`,
    the weight that can still be carried, and `items`, (n, 2), weight and value of those that can still be taken, the most
    valuable for their weight first, and zeros. The reward is the value, in units of 50. The episode ends when nothing more
    fits.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        most = size * LARGEST // CAPACITY_SHARE
        items = spaces.MultiDiscrete(np.full((size, 2), LARGEST + 1))
        self.observation_space = spaces.Dict({"items": items, "room": spaces.Discrete(most + 1)})
        self.action_space = spaces.Discrete(size)

    def draw(self) -> None:
        self.weights, self.values = self.np_random.integers(1, LARGEST + 1, (2, self.size))
        self.room = max(int(self.weights.sum()) // CAPACITY_SHARE, int(self.weights.min()))
        self.left = np.ones(self.size, bool)

    def choose(self, index: int) -> float:
        self.left[index] = False
        self.room -= int(self.weights[index])
        return float(self.values[index] / LARGEST)

    def listed(self) -> np.ndarray:
        fitting = np.flatnonzero(self.left & (self.weights <= self.room))
        worth = self.values[fitting] / self.weights[fitting]
        return fitting[np.lexsort((self.weights[fitting], -worth))]

    def observation(self) -> dict[str, np.ndarray | int]:
        items = np.stack([self.weights, self.values], axis=1)[self.choices]
        return {"items": padded(items, self.size), "room": self.room}

    def plan(self) -> list[int]:
        items = self.choices
        return [int(items[k]) for k in most_valuable(self.values[items], self.weights[items], self.room)]


class BinPacking(Problem):
    """Items into as few bins as possible, filling one bin after the other.

    Sizes are uniform in 5 to 30, a bin has 50. A bin is closed when no item left fits into it. The observation shows `room`,
    the space left in the bin, and `items`, (n,), the sizes of those left: first those that fit, then the others, each the
    largest first, and zeros. As a bin is closed, the reward is minus the space that stays empty, in bins: each bin too many
    costs 1.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        items = spaces.MultiDiscrete(np.full(size, LARGEST_ITEM + 1))
        self.observation_space = spaces.Dict({"items": items, "room": spaces.Discrete(BIN + 1)})
        self.action_space = spaces.Discrete(size)

    def draw(self) -> None:
        self.sizes = self.np_random.integers(SMALLEST_ITEM, LARGEST_ITEM + 1, self.size)
        self.room, self.left = BIN, np.ones(self.size, bool)

    def choose(self, index: int) -> float:
        self.left[index] = False
        self.room -= int(self.sizes[index])
        if self.room >= self.sizes[self.left].min(initial=BIN + 1):
            return 0.0
        empty, self.room = self.room, BIN
        return -empty / BIN

    def listed(self) -> np.ndarray:
        fitting = np.flatnonzero(self.left & (self.sizes <= self.room))
        return fitting[np.argsort(-self.sizes[fitting], kind="stable")]

    def observation(self) -> dict[str, np.ndarray | int]:
        others = np.flatnonzero(self.left & (self.sizes > self.room))
        shown = np.append(self.choices, others[np.argsort(-self.sizes[others], kind="stable")])
        return {"items": padded(self.sizes[shown], self.size), "room": self.room}

    def plan(self) -> list[int]:
        """Each bin as full as the items left can make it, in a new bin the largest one among them (Gupta and Ho 1999)."""
        order = np.flatnonzero(self.left)
        order, room, plan = order[np.argsort(-self.sizes[order], kind="stable")], self.room, []
        while len(order):
            first = 1 if room == BIN else 0
            others = fullest(self.sizes[order[first:]], room - int(self.sizes[order[:first]].sum()))
            chosen = [*range(first), *(first + k for k in others)]
            plan += order[chosen].tolist()
            order, room = np.delete(order, chosen), BIN
        return plan
