"""Drawing segments: a stretch of an episode, a quarter of them with a prompt before it (Gato, section 2.3).

    | prompt: timesteps of another episode | window: consecutive timesteps |      one segment; attention stays inside it

Half of the prompts are the end of their episode (the goal), half a uniformly drawn stretch of it. Both episodes are of the same
task and the same source.
"""

from dataclasses import dataclass

import numpy as np

from gato_lightning.settings import PositiveInt, Share, check_settings
from gato_lightning.store import EpisodeStore


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

    def __getitem__(self, index: slice) -> "Segments":
        return Segments(self.prompt_start[index], self.prompt_stop[index], self.start[index], self.stop[index])


class SegmentSampler:
    """Draws segments of one store.

    Args:
        store: the episodes.
        context_length: most slots of a segment.
        prompts: how prompts are drawn.
        timesteps: most timesteps of a window; None: as many as fit.

    Attributes:
        narrowest: slots of the shortest timestep.
    """

    def __init__(self, store: EpisodeStore, context_length: int, prompts: PromptSettings, timesteps: int | None = None) -> None:
        self.store, self.context_length, self.prompts = store, context_length, prompts
        self.narrowest = store.narrowest
        # Read into memory: these tables are a few bytes a timestep and are searched for every segment.
        self._slot = np.asarray(store.first_slot, np.int64)
        self._episode = np.asarray(store.first_timestep, np.int64)
        self._window = timesteps or max(1, context_length // store.narrowest)
        # A window may begin up to window - 1 steps before its episode, so that every timestep is equally likely.
        self._starts = np.cumsum(np.diff(self._episode) + self._window - 1)
        source = np.asarray(store.source)
        self._by_source = np.argsort(source, kind="stable")
        self._rank = np.empty_like(self._by_source)
        self._rank[self._by_source] = np.arange(len(source))
        self._source_start = np.searchsorted(source[self._by_source], source, side="left")
        self._source_stop = np.searchsorted(source[self._by_source], source, side="right")

    def at(self, index: int) -> "SegmentSampler":
        """What sequence `index` draws its segments from: here the same for all."""
        return self

    def slots(self, segments: Segments) -> np.ndarray:
        """(N,) int64 slots of each segment."""
        prompt = self._slot[segments.prompt_stop] - self._slot[segments.prompt_start]
        return prompt + self._slot[segments.stop] - self._slot[segments.start]

    def draw(self, rng: np.random.Generator, count: int) -> Segments:
        """Draws `count` segments, each at most `context_length` slots long."""
        drawn = rng.integers(self._starts[-1], size=count)
        episode = np.searchsorted(self._starts, drawn, side="right")
        first, end = self._episode[episode], self._episode[episode + 1]
        begin = end - 1 - (self._starts[episode] - 1 - drawn)
        start, stop = np.maximum(begin, first), np.minimum(begin + self._window, end)
        prompt_start, prompt_stop = self._draw_prompts(rng, episode, start)
        segments = Segments(prompt_start, prompt_stop, start, stop)
        return self.cut(segments, np.full(count, self.context_length))

    def cut(self, segments: Segments, room: np.ndarray) -> Segments:
        """Shortens the windows to whole timesteps that fit into `room` slots, (N,); a window may be left with none."""
        room = room - (self._slot[segments.prompt_stop] - self._slot[segments.prompt_start])
        fitting = np.searchsorted(self._slot, self._slot[segments.start] + room, side="right") - 1
        stop = np.clip(fitting, segments.start, segments.stop)
        return Segments(segments.prompt_start, segments.prompt_stop, segments.start, stop)

    def _draw_prompts(self, rng: np.random.Generator, episode: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Prompt ranges for windows of the given episodes; empty for those that get none."""
        prompted, goal = rng.random((2, len(episode)))
        others = self._source_stop[episode] - self._source_start[episode] - 1
        # Uniform over the other episodes of the source: shift by 1..others places, round the source's list.
        shift = 1 + np.floor(rng.random(len(episode)) * others).astype(np.int64)
        place = self._rank[episode] - self._source_start[episode] + shift
        other = self._by_source[self._source_start[episode] + place % (others + 1)]
        first, end = self._episode[other], self._episode[other + 1]
        length = self.prompts.length or self.context_length // 2
        latest = np.searchsorted(self._slot, self._slot[end] - length, side="left")
        from_end = np.clip(latest, first, end - 1)
        anywhere = first + np.floor(rng.random(len(episode)) * (end - first)).astype(np.int64)
        prompt_start = np.where(goal < self.prompts.goal_probability, from_end, anywhere)
        last = np.searchsorted(self._slot, self._slot[prompt_start] + length, side="right") - 1
        prompt_stop = np.clip(last, prompt_start + 1, end)
        # Prompt and one timestep must fit into a sequence together; where they do not, there is no prompt.
        needed = self._slot[prompt_stop] - self._slot[prompt_start] + self._slot[start + 1] - self._slot[start]
        given = (prompted < self.prompts.probability) & (others > 0) & (needed <= self.context_length)
        return np.where(given, prompt_start, 0), np.where(given, prompt_stop, 0)
