"""Filling a context with segments of a task, so that every timestep of the task stays equally likely.

    row of segments:  | window | prompt | window | window | prompt | window | ...
    contexts:     ... |  context  |   context   |   context   | ...

A row is cut into contexts, and a timestep that no longer fits goes to the next one: none is lost, so none is less likely,
neither at a window's end nor where it is wide. A training sequence is one context of a row of its own. A prompt counts behind
its window: where it does not fit, it gets shorter.
"""

import numpy as np

from gato_lightning.sequences.segments import Segments, SegmentSampler, concatenate, ranges

ROW = 64  # segments in a row at least: where its first context begins is drawn by slots among them
CONTEXTS = 4  # of a row whose timesteps differ in width; the last is taken, which hardly depends on where the row begins
EMPTY = 64  # 1 / EMPTY of a context may stay empty before its windows are cut elsewhere than at the end


def full_context(sampler: SegmentSampler, rng: np.random.Generator, room: int) -> Segments:
    """Segments that fill `room` slots, at least as many as the widest timestep has."""
    contexts = 1 if sampler.store.narrowest == sampler.store.widest else CONTEXTS
    count = ROW + int((1 + contexts) * room / sampler.mean_slots)
    drawn = sampler.draw(rng, count)
    ends = np.cumsum(sampler.slots(drawn))
    begin = rng.random() * ends[-1]
    first = int(np.searchsorted(ends, begin, side="right"))
    row = drawn[np.arange(first, first + count) % count]
    slot = begin - ends[first] + sampler.slots(drawn[first : first + 1])[0]
    row.start[0] = sampler.timestep_at(row.start[0], row.stop[0], slot)
    if row.start[0] == row.stop[0]:
        row = row[1:]  # the context begins inside of its prompt
    for _ in range(contexts):
        if (ends := np.cumsum(sampler.slots(row)))[-1] <= room:  # hardly ever: the wide windows are few, and none was drawn
            row = concatenate(row, sampler.draw(rng, 1 + room // sampler.store.narrowest))
            ends = np.cumsum(sampler.slots(row))
        context, row = _next_context(sampler, row, ends, room)
    return context


def _next_context(sampler: SegmentSampler, row: Segments, ends: np.ndarray, room: int) -> tuple[Segments, Segments]:
    """The next context of a row that is longer, and the row behind it; `ends` are the slots up to the end of each segment.

    At least a part of the first segment stays: it may be what did not fit before.
    """
    last = int(np.searchsorted(ends, room, side="right"))
    begins = np.concatenate([[0], ends[:last]])
    context, rest = row[np.arange(last + 1)], row[last + 1 :]
    short = begins[last] + sampler.window_slots(context)[last] - room
    if short > 0:
        cut, at = _where_to_cut(sampler, context, int(short), room // EMPTY)
        remainder = context[np.array([cut])]
        remainder.start[0] = context.stop[cut] = at
        rest = concatenate(remainder, rest)
        context = context[context.stop > context.start]
        begins = np.cumsum(sampler.slots(context)) - sampler.slots(context)
    return sampler.cut(context, room - begins), rest


def _where_to_cut(sampler: SegmentSampler, context: Segments, short: int, empty: int) -> tuple[int, int]:
    """The segment and the timestep from which on its window leaves the context, so that `short` slots become free.

    It is the last segment where hardly more become free by that, else the one that leaves the fewest slots empty.
    """
    last = len(context) - 1
    for segments in (np.array([last]), np.arange(last, -1, -1)):
        counts = context.stop[segments] - context.start[segments]
        steps, owner = ranges(context.start[segments], counts), np.repeat(segments, counts)
        freed = sampler.slots_between(steps, context.stop[owner])
        whole = (steps == context.start[owner]) & (owner < last)
        freed += np.where(whole, sampler.slots_between(context.prompt_start, context.prompt_stop)[owner], 0)
        possible = (freed >= short) & ((steps > context.start[0]) | (owner > 0))
        best = int(np.where(possible, freed, sampler.context_length + 1).argmin())
        if freed[best] - short <= empty:
            break
    return int(owner[best]), int(steps[best])


def filling(sampler: SegmentSampler, rng: np.random.Generator, room: int) -> Segments:
    """Segments of one timestep for `room` slots that another task has left.

    There is one more as long as any timestep would fit, so that the wide ones are not left out.
    """
    segments = sampler.draw_timesteps(rng, 1 + room // sampler.store.narrowest)
    slots = sampler.slots(segments)
    begins = np.cumsum(slots) - slots
    fitting = int(np.searchsorted(begins, room - sampler.widest, side="right"))
    return sampler.cut(segments[:fitting], room - begins[:fitting])
