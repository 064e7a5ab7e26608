"""Training sequences: sequence i is a pure function of (seed, i).

    | segment 1                  | segment 2       | segment 3                   | ... | empty |
    | prompt | window of task a  | window of task a | prompt | window of task a  | b   |       |

The task is drawn by weight; its segments fill the context; what is left is filled with timesteps of tasks all of which fit.
Whole timesteps are packed, and attention stays inside a segment. Shuffling, workers, ranks and resuming need no saved state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.sequences.packing import filling, full_context
from gato_lightning.sequences.segments import Segments, SegmentSampler, ranges
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.tokens.patches import PATCH
from gato_lightning.tokens.timestep import TokenTimesteps, distinct
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

FILLERS = 4  # tries at filling what is left of a context; more gain less than a slot

# True for the kinds that the paper's formula predicts: text and actions (Gato, section 2.3)
PREDICTED = np.array([kind in (Kind.TEXT, Kind.ACTION_TEXT, Kind.ACTION_DISCRETE, Kind.ACTION_CONTINUOUS) for kind in Kind])


@dataclass
class Slots:
    """Slots end to end, each array (S,) int64 unless said otherwise; patches as in `TokenBatch`."""

    ids: np.ndarray
    kinds: np.ndarray
    local: np.ndarray
    position: np.ndarray
    segment: np.ndarray
    task: np.ndarray
    loss_mask: np.ndarray  # bool
    patches: np.ndarray  # (U, 16, 16, 3) uint8
    patch_index: np.ndarray  # (P,)
    patch_intervals: np.ndarray  # (P, 4)
    num_timesteps: int = 0
    num_prompted: int = 0
    num_segments: int = 0

    @classmethod
    def of_tokens(cls, ids: Sequence[int] | np.ndarray, kinds: int | Sequence[int]) -> "Slots":
        """Slots of action tokens, or of other tokens that need no index inside their timestep."""
        ids = np.asarray(ids, np.int64)
        zeros = np.zeros(len(ids), np.int64)
        return cls(
            ids=ids,
            kinds=np.broadcast_to(np.asarray(kinds, np.int64), ids.shape),
            local=zeros,
            position=np.arange(len(ids)),
            segment=zeros + 1,
            task=zeros,
            loss_mask=np.ones(len(ids), bool),
            patches=np.empty((0, PATCH, PATCH, 3), np.uint8),
            patch_index=zeros[:0],
            patch_intervals=np.empty((0, 4), np.int64),
        )


def read_slots(
    store: EpisodeStore, segments: Segments, task: int, first_segment: int, prompt_loss: bool, observed_text_loss: bool = True
) -> Slots:
    """Reads segments from a store, in one pass over all of them.

    Args:
        store: the episodes.
        segments: N ranges of timesteps.
        task: the task's index.
        first_segment: number of the first segment in its sequence; the others follow it.
        prompt_loss: whether a prompt's own text and actions are predicted.
        observed_text_loss: whether the text of observations is predicted.
    """
    # Prompt and window of each segment are two runs of timesteps, interleaved: (2N,)
    run_start = np.stack([segments.prompt_start, segments.start], axis=1).ravel()
    run_count = np.stack([segments.prompt_stop - segments.prompt_start, segments.stop - segments.start], axis=1).ravel()
    steps = ranges(run_start, run_count)
    start = store.first_slot[steps]
    counts = store.first_slot[steps + 1] - start
    layout = store.layout[steps].astype(np.int64)
    slots = ranges(start, counts)
    local = slots - np.repeat(start, counts)
    kinds = store.layout_kinds[np.repeat(store.layout_start[layout], counts) + local]
    run = np.repeat(np.repeat(np.arange(len(run_start)), run_count), counts)
    segment = run // 2
    per_segment = np.bincount(segment, minlength=len(segments.start))
    patch_start = store.first_patch[steps]
    patch_counts = store.first_patch[steps + 1] - patch_start
    rows, patch_index = np.unique(store.patch_index[ranges(patch_start, patch_counts)], return_inverse=True)
    loss_mask = PREDICTED[kinds] & np.repeat(store.layout_counted[layout], counts)
    if not observed_text_loss:
        loss_mask &= kinds != Kind.TEXT
    if not prompt_loss:
        loss_mask &= run % 2 == 1
    return Slots(
        ids=store.ids[slots].astype(np.int64),
        kinds=kinds,
        local=local,
        position=ranges(np.zeros_like(per_segment), per_segment),
        segment=segment + first_segment,
        task=np.full(len(slots), task, np.int64),
        loss_mask=loss_mask,
        patches=store.patches[rows],
        patch_index=patch_index.reshape(-1),
        patch_intervals=store.layout_intervals[ranges(store.interval_start[layout], patch_counts)],
        num_timesteps=len(steps),
        num_prompted=int((segments.prompt_stop > segments.prompt_start).sum()),
        num_segments=len(segments.start),
    )


class Sampler(Protocol):
    """Where the segments of a task come from.

    Attributes:
        widest: slots of the longest timestep.
    """

    widest: int

    def at(self, index: int) -> SegmentSampler:
        """What sequence `index` draws its segments from."""


class SequencePacker:
    """Makes training sequences of a mixture of tasks.

    Args:
        samplers: one per task.
        weights: (number of tasks,) relative; a task's share of the sequences that it opens.
        context_length: slots of a sequence.
        seed: with the index, all that a sequence depends on.
        observed_text_loss: whether the text of observations is predicted.
    """

    def __init__(
        self,
        samplers: Sequence[Sampler],
        weights: np.ndarray,
        context_length: int,
        seed: int,
        observed_text_loss: bool = True,
    ) -> None:
        self.samplers, self.context_length, self.seed = list(samplers), context_length, seed
        self._observed_text_loss = observed_text_loss
        self._cumulative = np.cumsum(weights / weights.sum())
        self._weights = weights
        self._widest = np.array([sampler.widest for sampler in samplers])

    def __call__(self, index: int) -> list[Slots]:
        """The parts of sequence `index`, which together fill at most `context_length` slots."""
        rng = generator(Purpose.SEQUENCES, self.seed, index)
        task = int(np.searchsorted(self._cumulative, rng.random(), side="right").clip(max=len(self.samplers) - 1))
        sampler = self.samplers[task].at(index)
        segments = full_context(sampler, rng, self.context_length)
        parts: list[Slots] = []
        room, segment = self.context_length, 1
        for _ in range(1 + FILLERS):
            if len(segments):
                losses = sampler.prompts.loss, self._observed_text_loss
                parts.append(read_slots(sampler.store, segments, task, segment, *losses))
                room, segment = room - len(parts[-1].ids), segment + len(segments)
            fitting = np.where(self._widest <= room, self._weights, 0.0)
            if fitting.sum() == 0.0:
                break
            task = int(rng.choice(len(fitting), p=fitting / fitting.sum()))
            sampler = self.samplers[task].at(index)
            segments = filling(sampler, rng, room)
        return parts


def collate(sequences: Sequence[Sequence[Slots]], context_length: int, vocabulary: Vocabulary) -> TokenBatch:
    """Lays the parts of B sequences into a batch of (B, context_length) slots."""
    parts = [part for sequence in sequences for part in sequence]
    used = np.array([sum(len(part.ids) for part in sequence) for sequence in sequences])
    filled = np.arange(context_length) < used[:, None]  # (B, L)

    def lay(name: str, empty: int | bool) -> torch.Tensor:
        values = np.full(filled.shape, empty, bool if isinstance(empty, bool) else np.int64)
        values[filled] = np.concatenate([getattr(part, name) for part in parts])
        return torch.from_numpy(values)

    offsets = np.cumsum([0, *(len(part.patches) for part in parts)])
    index = np.concatenate([part.patch_index + offset for part, offset in zip(parts, offsets, strict=False)])
    patches, row = distinct(np.concatenate([part.patches for part in parts]))
    kinds, position = lay("kinds", int(Kind.PADDING)), lay("position", 0)
    # The first slot of a segment has nothing before it to be predicted from.
    predicted = lay("loss_mask", False) & (position > 0)
    return TokenBatch(
        ids=lay("ids", vocabulary.padding),
        kinds=kinds,
        local=lay("local", 0),
        position=position,
        segment=lay("segment", 0),
        task=lay("task", 0),
        targets=predicted.ravel().nonzero()[:, 0],
        patch_slots=(kinds == Kind.PATCH).ravel().nonzero()[:, 0],
        patches=torch.from_numpy(patches),
        patch_index=torch.from_numpy(row[index]),
        patch_intervals=torch.from_numpy(np.concatenate([part.patch_intervals for part in parts])),
        num_timesteps=sum(part.num_timesteps for part in parts),
        num_prompted=sum(part.num_prompted for part in parts),
        num_segments=sum(part.num_segments for part in parts),
    )


def slots_of(steps: TokenTimesteps, task: int = 0) -> list[Slots]:
    """The slots of each of T timesteps on its own, for acting; the positions count from the timestep's first slot."""
    ids = np.split(steps.ids.astype(np.int64), np.cumsum(steps.num_slots)[:-1])
    index = np.split(steps.patch_index, np.cumsum(steps.num_patches)[:-1])
    return [_one(steps, int(n), *of_step, task) for n, of_step in zip(steps.layout, zip(ids, index, strict=True), strict=True)]


def _one(steps: TokenTimesteps, layout: int, ids: np.ndarray, index: np.ndarray, task: int) -> Slots:
    kinds = np.array(steps.layouts[layout].kinds, np.int64)
    local = np.arange(len(ids))
    rows, patch_index = np.unique(index, return_inverse=True)
    return Slots(
        ids=ids,
        kinds=kinds,
        local=local,
        position=local,
        segment=np.ones(len(ids), np.int64),
        task=np.full(len(ids), task, np.int64),
        loss_mask=PREDICTED[kinds],
        patches=steps.patches[rows],
        patch_index=patch_index.reshape(-1),
        patch_intervals=steps.layouts[layout].intervals,
        num_timesteps=1,
    )
