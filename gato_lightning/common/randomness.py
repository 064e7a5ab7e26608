"""Random numbers that are independent of each other and of the environment, though all come of one seed.

`env.reset(seed=s)`, `space.seed(s)` and `np.random.default_rng(s)` all make the same stream of numbers: whoever draws actions
from one of them draws what the environment draws. So everything but the environment names its purpose too.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What random numbers are for. The numbers decide what is drawn: a new purpose takes a new one."""

    RANDOM_PLAY = 0
    NOISE = 1  # of demonstrations
    ACTING = 2  # prompts and sampled actions
    SEQUENCES = 3  # what stands in a training sequence
    PARTS = 4  # the order of a stream's parts


def generator(purpose: Purpose, *seeds: int) -> np.random.Generator:
    """The random numbers of a purpose.

    Args:
        purpose: what they are for.
        seeds: all else that they depend on, such as an episode's seed.
    """
    return np.random.default_rng(_sequence(purpose, *seeds))


def seed_for(purpose: Purpose, *seeds: int) -> int:
    """The same as a seed, for what takes no generator, such as `space.seed`: an integer in [0, 2^64)."""
    return int(_sequence(purpose, *seeds).generate_state(1, np.uint64)[0])


def _sequence(purpose: Purpose, *seeds: int) -> np.random.SeedSequence:
    # Not SeedSequence((seed, purpose)): numpy fills up with zeros, so that (seed, 0) would be the environment's own.
    return np.random.SeedSequence(seeds, spawn_key=(purpose,))
