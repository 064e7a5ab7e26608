"""Gaits are what their formula says, and the search for them goes on where it stopped."""

import numpy as np
from rich.progress import Progress

from datamodules.control.experts.linear_policy import LinearPolicy
from scripts.expert_recipes import walking
from scripts.gaits import Gait
from scripts.random_search import Trainer

SWIMMER = Gait(8, (1, 2), (6, 7), (15, 30), tries=40, horizon=100)


def test_a_gait_is_a_spring_and_a_damper_towards_a_place_that_swings():
    rng = np.random.default_rng(0)
    gait = Gait(5, (0, 1), (3, 4), (10, 20), rest=(0.5, -0.5))
    parameters = gait.draw(rng)
    period, stiffness, damping, *others = parameters
    swing, phase, rest = np.reshape(others, (3, 2))
    assert 10 <= period <= 20
    state, timestep = rng.normal(size=5), 7
    clock = 2 * np.pi * timestep / period
    target = rest + swing * np.sin(clock + phase)
    policy = gait.gains(parameters)
    torques = policy @ np.concatenate([state, [np.sin(clock), np.cos(clock), 1]])
    np.testing.assert_allclose(torques, stiffness * (target - state[:2]) - damping * state[3:])


def test_variation_is_near_and_leaves_about_half_as_it_was():
    rng = np.random.default_rng(0)
    gait = Gait(17, tuple(range(8)), tuple(range(8, 16)), (10, 20))
    parameters = gait.draw(rng)
    changes = np.array([gait.vary(parameters, 0.1, rng) - parameters for _ in range(200)])
    assert 0.45 < (changes == 0).mean() < 0.55
    assert np.abs(changes).max() < 1


def trained(path, stop_after=None) -> Trainer:
    trainer = Trainer("Swimmer-v5", walking(SWIMMER, 5000), path, 0)
    try_gait, tries = trainer.try_gait, []

    def counted():
        if len(tries) == stop_after:
            trainer.search.save(path, trainer.recipe.form())  # as the loop does from time to time
            raise KeyboardInterrupt
        tries.append(try_gait())

    trainer.try_gait = counted
    try:
        with Progress(disable=True) as progress:
            trainer.run(progress)
    except KeyboardInterrupt:
        assert stop_after is not None
    return trainer


def test_the_search_improves_and_a_stopped_one_ends_where_the_other_does(tmp_path):
    whole = trained(tmp_path / "whole.safetensors")
    trained(tmp_path / "parts.safetensors", stop_after=17)
    parts = trained(tmp_path / "parts.safetensors")
    np.testing.assert_array_equal(parts.search.gaits, whole.search.gaits)
    np.testing.assert_array_equal(parts.search.best, whole.search.best)
    assert parts.search.numbers == whole.search.numbers
    assert whole.search.numbers["timesteps"] >= 5000
    policy = whole._linear(whole.search.best)
    assert policy.settings == {"period": whole.search.gaits[0, 0], "size": 8}
    still = whole._returns(LinearPolicy(np.zeros((2, 8)), np.zeros(2)), 0, 1)[0]
    assert whole.search.numbers["best_return"] > still + 10, "it swims"
