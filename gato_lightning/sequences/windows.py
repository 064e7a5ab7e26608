"""Drawing windows so that every timestep of a store is equally likely to be in one.

An episode can be cut into windows, each as long as fits, but for the first, which ends at a random place:

    | first: 0 to n | n timesteps | n timesteps | rest |

A timestep lies in exactly one window of every such cut. So a window drawn uniformly among those of all cuts of all episodes
holds each timestep equally often, however wide it or its neighbours are.
"""

from collections.abc import Sequence

import numpy as np


class Windows:
    """Windows of at most so many slots and timesteps.

    Args:
        first_slot: (T + 1,) int64 first slot of each timestep, and the end.
        first_timestep: (E + 1,) int64 first timestep of each episode, and the end.
        rooms: most slots of a window, though it has at least one timestep; several, to choose among at every draw.
        timesteps: most timesteps of a window; None: as many as fit.

    Attributes:
        mean_slots: (R,) of a window in each room.
    """

    def __init__(self, first_slot: np.ndarray, first_timestep: np.ndarray, rooms: Sequence[int], timesteps: int | None) -> None:
        self._slot, self._episode, self._rooms = first_slot, first_timestep, np.array(rooms)
        self._timesteps = np.array([timesteps or room for room in rooms])  # a timestep has at least one slot
        often = np.concatenate([self._often(room) for room in range(len(rooms))])
        self._cumulative = np.cumsum(often)
        ends = self._cumulative[len(first_slot) - 2 :: len(first_slot) - 1]
        self._begin, self._total = np.append(0.0, ends[:-1]), np.diff(ends, prepend=0.0)
        self.mean_slots = first_slot[-1] / self._total

    def draw(self, rng: np.random.Generator, room: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Episode, first timestep and end of a window for each of the chosen rooms, (N,) indices; each (N,) int64."""
        drawn, place = rng.random((2, len(room)))
        drawn = self._begin[room] + drawn * self._total[room]
        start = np.searchsorted(self._cumulative[:-1], drawn, side="right") - room * (len(self._slot) - 1)
        episode = np.searchsorted(self._episode, start, side="right") - 1
        first, end = self._episode[episode], self._episode[episode + 1]
        fitting = np.searchsorted(self._slot, self._slot[first] + place * self._rooms[room], side="right") - 1
        cut = np.minimum(np.minimum(fitting, first + (place * self._timesteps[room]).astype(np.int64)), end)
        return episode, start, np.where((start == first) & (cut > first), cut, self._full(start, end, room))

    def _often(self, room: int) -> np.ndarray:
        """(T,) how often a window begins at each timestep, on average over all cuts."""
        every, length = np.arange(len(self._slot) - 1), np.diff(self._episode)
        first, end = np.repeat(self._episode[:-1], length), np.repeat(self._episode[1:], length)
        # The share of the cuts whose first window ends before a timestep, so that a full one begins there.
        often = self._share(first, every + 1, room) - self._share(first, every, room)
        # Where a full window ends another begins, in steps of 1, 2, 4, ... windows.
        following = self._full(every, end, room)
        following = np.append(np.where(following < end, following, len(every)), len(every))
        while (following < len(every)).any():
            often += np.bincount(following[:-1], often, len(every) + 1)[:-1]
            following = following[following]
        often[self._episode[:-1]] = 1.0  # every cut has a first window
        return often

    def _full(self, start: np.ndarray, end: np.ndarray, room: int | np.ndarray) -> np.ndarray:
        """Ends of the longest windows that begin at `start`, in episodes that end at `end`."""
        fitting = np.searchsorted(self._slot, self._slot[start] + self._rooms[room], side="right") - 1
        return np.minimum(np.clip(fitting, start + 1, start + self._timesteps[room]), end)

    def _share(self, first: np.ndarray, stop: np.ndarray, room: int) -> np.ndarray:
        """How full [first, stop) makes a window, by slots or by timesteps; at most 1."""
        slots = (self._slot[stop] - self._slot[first]) / self._rooms[room]
        return np.minimum(np.maximum(slots, (stop - first) / self._timesteps[room]), 1.0)
