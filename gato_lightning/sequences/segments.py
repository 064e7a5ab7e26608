"""Drawing segments: a stretch of an episode, a quarter of them with a prompt before it (Gato, section 2.3).

    | prompt: timesteps of another episode | window: consecutive timesteps |      one segment; attention stays inside it

Half of the prompts are the end of their episode (the goal), half a uniformly drawn stretch of it. Both episodes are of the same
task and the same source.
"""

from dataclasses import dataclass

import numpy as np

from gato_lightning.common.settings import PositiveInt, Share, check_settings
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.windows import Windows


@dataclass(frozen=True)
class PromptSettings:
    """How prompts are drawn.

    Args:
        probability: share of the segments that begin with one, in [0, 1] (Gato, section 2.3: 0.25).
        goal_probability: share of the prompts that are the end of an episode, in [0, 1] (Gato, section 2.3: 0.5).
        length: most slots of a prompt, in whole timesteps, though at least one timestep; 1 or more; unstated in the paper, half
            the context in its reproductions (null).
        loss: whether a prompt's own text and actions count in the loss; unstated in the paper.
    """

    probability: Share = 0.25
    goal_probability: Share = 0.5
    length: PositiveInt | None = None
    loss: bool = True

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))


@dataclass(frozen=True)
class Segments:
    """N segments as ranges of timesteps of one store, each array (N,) int64; a prompt of no timesteps is none."""

    prompt_start: np.ndarray
    prompt_stop: np.ndarray
    start: np.ndarray
    stop: np.ndarray

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index: slice | np.ndarray) -> "Segments":
        return Segments(self.prompt_start[index], self.prompt_stop[index], self.start[index], self.stop[index])


def concatenate(*several: Segments) -> Segments:
    """Segments one after another."""
    return Segments(*(np.concatenate([getattr(one, name) for one in several]) for name in vars(several[0])))


def ranges(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """start, start + 1, ..., start + count - 1 of each pair, end to end."""
    offsets = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(starts - offsets, counts)


class SegmentSampler:
    """Draws segments of one store.

    Args:
        store: the episodes.
        context_length: most slots of a segment.
        prompts: how prompts are drawn.
        timesteps: most timesteps of a window; None: as many as fit.

    Attributes:
        widest: slots of the longest timestep.
        mean_slots: of a window without a prompt.
    """

    def __init__(self, store: EpisodeStore, context_length: int, prompts: PromptSettings, timesteps: int | None = None) -> None:
        self.store, self.context_length, self.prompts = store, context_length, prompts
        self.widest = store.widest
        # Read into memory: these tables are a few bytes a timestep and are searched for every segment.
        self._slot = np.asarray(store.first_slot, np.int64)
        self._episode = np.asarray(store.first_timestep, np.int64)
        self._prompt_length = prompts.length or context_length // 2
        rooms = [context_length, max(1, context_length - self._prompt_length)]
        if timesteps and timesteps * store.widest <= rooms[1]:
            rooms = rooms[:1]  # a prompt leaves room for the same windows
        self._windows = Windows(self._slot, self._episode, rooms, timesteps)
        self._prompted = len(rooms) - 1  # which room a prompt leaves
        self.mean_slots = float(self._windows.mean_slots[0])
        source = np.asarray(store.source)
        self._by_source = np.argsort(source, kind="stable")
        self._rank = np.empty_like(self._by_source)
        self._rank[self._by_source] = np.arange(len(source))
        self._source_start = np.searchsorted(source[self._by_source], source, side="left")
        self._source_stop = np.searchsorted(source[self._by_source], source, side="right")

    def at(self, index: int) -> "SegmentSampler":
        """What sequence `index` draws its segments from: here the same for all."""
        return self

    def slots_between(self, start: np.ndarray, stop: np.ndarray) -> np.ndarray:
        """(N,) int64 slots of the timesteps [start, stop)."""
        return self._slot[stop] - self._slot[start]

    def slots(self, segments: Segments) -> np.ndarray:
        """(N,) int64 slots of each segment."""
        return self.slots_between(segments.prompt_start, segments.prompt_stop) + self.window_slots(segments)

    def window_slots(self, segments: Segments) -> np.ndarray:
        """(N,) int64 slots of each segment without its prompt."""
        return self.slots_between(segments.start, segments.stop)

    def draw(self, rng: np.random.Generator, count: int) -> Segments:
        """Draws `count` segments, each at most `context_length` slots long."""
        prompted = rng.random(count) < self.prompts.probability
        return self._with_prompts(rng, prompted, *self._windows.draw(rng, prompted * self._prompted))

    def draw_timesteps(self, rng: np.random.Generator, count: int) -> Segments:
        """Draws `count` segments whose windows are one timestep."""
        start = rng.integers(self._episode[-1], size=count)
        episode = np.searchsorted(self._episode, start, side="right") - 1
        return self._with_prompts(rng, rng.random(count) < self.prompts.probability, episode, start, start + 1)

    def cut(self, segments: Segments, room: np.ndarray) -> Segments:
        """Shortens segments to whole timesteps that fit into `room` slots, (N,).

        The window comes first and loses its end, maybe all of it; the prompt has what is left and loses its start.
        """
        fitting = np.searchsorted(self._slot, self._slot[segments.start] + room, side="right") - 1
        stop = np.clip(fitting, segments.start, segments.stop)
        room = room - (self._slot[stop] - self._slot[segments.start])
        earliest = np.searchsorted(self._slot, self._slot[segments.prompt_stop] - room, side="left")
        prompt_start = np.clip(earliest, segments.prompt_start, segments.prompt_stop)
        return Segments(prompt_start, segments.prompt_stop, segments.start, stop)

    def timestep_at(self, start: int, stop: int, slot: float) -> int:
        """The timestep of window [start, stop) that has its `slot`-th slot; `stop`, where it has fewer."""
        return min(int(np.searchsorted(self._slot, self._slot[start] + slot, side="right")) - 1, stop)

    def _with_prompts(
        self, rng: np.random.Generator, prompted: np.ndarray, episode: np.ndarray, start: np.ndarray, stop: np.ndarray
    ) -> Segments:
        """Segments of windows of the given episodes; where a prompt does not fit beside its window, it is shorter or none."""
        prompt_start, prompt_stop = np.zeros((2, len(start)), np.int64)
        prompt_start[prompted], prompt_stop[prompted] = self._draw_prompts(rng, episode[prompted])
        return self.cut(Segments(prompt_start, prompt_stop, start, stop), np.full(len(start), self.context_length))

    def _draw_prompts(self, rng: np.random.Generator, episode: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prompts for windows of the given episodes; empty where there is no other episode of the source."""
        goal, other_place, begin = rng.random((3, len(episode)))
        others = self._source_stop[episode] - self._source_start[episode] - 1
        # Uniform over the other episodes of the source: shift by 1..others places, round the source's list.
        shift = 1 + np.floor(other_place * others).astype(np.int64)
        place = self._rank[episode] - self._source_start[episode] + shift
        other = self._by_source[self._source_start[episode] + place % (others + 1)]
        first, end = self._episode[other], self._episode[other + 1]
        latest = np.searchsorted(self._slot, self._slot[end] - self._prompt_length, side="left")
        from_end = np.clip(latest, first, end - 1)
        anywhere = first + np.floor(begin * (end - first)).astype(np.int64)
        start = np.where(goal < self.prompts.goal_probability, from_end, anywhere)
        last = np.searchsorted(self._slot, self._slot[start] + self._prompt_length, side="right") - 1
        return start, np.where(others > 0, np.clip(last, start + 1, end), start)
