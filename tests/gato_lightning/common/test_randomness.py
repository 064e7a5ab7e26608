"""The purposes of a seed have random numbers of their own, and none has those of an environment with that seed."""

import numpy as np
import pytest

from gato_lightning.common.randomness import Purpose, generator, seed_for

SEEDS = (0, 1, 2, 3, 200_000_000, 2_000_000_000, 2**32 + 1)


def test_no_two_purposes_and_no_environment_share_a_stream():
    streams = {("environment", seed): np.random.default_rng(seed).random(4) for seed in SEEDS}
    streams |= {(purpose, seed): generator(purpose, seed).random(4) for purpose in Purpose for seed in SEEDS}
    streams |= {(purpose, "pair", seed): generator(purpose, 0, seed).random(4) for purpose in Purpose for seed in SEEDS[1:]}
    assert len({tuple(drawn) for drawn in streams.values()}) == len(streams)
    seeds = {seed_for(purpose, seed) for purpose in Purpose for seed in SEEDS}
    assert len(seeds | set(SEEDS)) == (len(Purpose) + 1) * len(SEEDS)


@pytest.mark.parametrize("purpose", Purpose)
def test_what_is_drawn_says_nothing_of_what_the_environment_draws(purpose):
    pairs = [(np.random.default_rng(seed).integers(4), generator(purpose, seed).integers(4)) for seed in range(4000)]
    seen = np.bincount(np.array([4 * a + b for a, b in pairs]), minlength=16)
    assert ((seen - 250) ** 2 / 250).sum() < 44.3  # chi-squared of 15 degrees of freedom: one in 10,000
    assert generator(purpose, 5).random() == generator(purpose, 5).random()
