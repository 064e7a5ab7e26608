"""Windows hold every timestep equally often, and no more than fits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gato_lightning.sequences.windows import Windows


def layout(episodes):
    widths = np.concatenate([np.array(one) for one in episodes])
    first_slot = np.concatenate([[0], np.cumsum(widths)])
    first_timestep = np.concatenate([[0], np.cumsum([len(one) for one in episodes])])
    return first_slot, first_timestep


EPISODES = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=7), min_size=1, max_size=5)


@given(EPISODES, st.integers(1, 20), st.one_of(st.none(), st.integers(1, 4)))
@settings(deadline=None)
def test_a_window_lies_in_one_episode_and_fits(episodes, room, timesteps):
    first_slot, first_timestep = layout(episodes)
    windows = Windows(first_slot, first_timestep, [room], timesteps)
    episode, start, stop = windows.draw(np.random.default_rng(0), np.zeros(200, np.int64))
    assert (start < stop).all()
    assert (first_timestep[episode] <= start).all()
    assert (stop <= first_timestep[episode + 1]).all()
    if timesteps is not None:
        assert (stop - start <= timesteps).all()
    slots = first_slot[stop] - first_slot[start]
    assert ((slots <= room) | (stop - start == 1)).all()


def test_every_timestep_is_drawn_equally_often():
    first_slot, first_timestep = layout([[1, 9, 2, 2, 5], [3], [4, 4, 4, 4, 4, 4, 4]])
    windows = Windows(first_slot, first_timestep, [10], None)
    _, start, stop = windows.draw(np.random.default_rng(0), np.zeros(60_000, np.int64))
    changes = np.bincount(start, minlength=14) - np.bincount(stop, minlength=14)
    counts = np.cumsum(changes)[:13]
    assert np.abs(counts / counts.mean() - 1).max() < 0.05


def test_the_mean_width_is_that_of_the_windows_drawn():
    first_slot, first_timestep = layout([[2, 3, 1, 1, 6], [5, 5]])
    windows = Windows(first_slot, first_timestep, [6, 12], None)
    for room in (0, 1):
        _, start, stop = windows.draw(np.random.default_rng(1), np.full(40_000, room))
        assert abs((first_slot[stop] - first_slot[start]).mean() / windows.mean_slots[room] - 1) < 0.02
