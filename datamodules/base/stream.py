"""Streaming: the parts of a large data set are tokenised when a run comes to them, not all beforehand.

    sequences of reader r: | 0 ... n-1           | n ... 2n-1               | ...
    drawn from part:       | order[r]            | order[readers + r]       | ...    order: anew for every pass over the parts

A reader is one DataLoader worker of one rank, so every part is read by one process, once a pass. Which part sequence i draws
from follows from i alone, so that a resumed run goes on with the same sequences as long as ranks, workers and batch size stay.
With others it goes on at about the same place of the pass: parts that were begun there may be read again, or not at all.
"""

import shutil
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from datamodules.base.faults import Fault, check_faults
from datamodules.base.task import Job, Split, TaskDataModule
from gato_lightning.common.randomness import Purpose, generator
from gato_lightning.errors import UserError
from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.store import EpisodeStore, write_store


@dataclass(frozen=True)
class Readers:
    """Who reads what of a stream.

    Args:
        count: DataLoader workers of all ranks together, at least 1.
        batch_size: sequences a batch.
        first: the first sequence that begins a batch, below `batch_size`; 0 unless a run resumed with another batch size.
    """

    count: int = 1
    batch_size: int = 1
    first: int = 0


class PartStream:
    """Segments of a task whose parts come one after another; takes the place of a `SegmentSampler`.

    Args:
        task: connected and set up.
        jobs: the parts.
        sequences: drawn from a part before the next.
        prompts: how prompts are drawn, within a part.
        readers: who reads what.

    Attributes:
        widest: slots of the longest timestep of the held-out part.
    """

    def __init__(
        self, task: TaskDataModule, jobs: list[Job], sequences: int, prompts: PromptSettings, readers: Readers
    ) -> None:
        self._task, self._jobs, self._sequences = task, jobs, sequences
        self._prompts, self._readers = prompts, readers
        self.widest = task.stores["val"].widest
        self._thread: ThreadPoolExecutor | None = None  # made in the process that reads
        self._parts: dict[int, Future[SegmentSampler]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def at(self, index: int) -> SegmentSampler:
        """What sequence `index` draws from; waits until that part is read, and has the next one read meanwhile."""
        batch, place = divmod(index - self._readers.first, self._readers.batch_size)
        turn, reader = divmod(batch, self._readers.count)
        step = (turn * self._readers.batch_size + place) // self._sequences
        now, then = (s * self._readers.count + reader for s in (step, step + 1))
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1)
            self._folder = tempfile.TemporaryDirectory(prefix=f"{self._task.name}-stream-")
        self._parts = {position: part for position, part in self._parts.items() if position in (now, then)}
        for position in (now, then):
            if position not in self._parts:
                self._parts[position] = self._thread.submit(self._read, position)
        return self._parts[now].result()

    def part(self, position: int) -> int:
        """Which part stands at this position of the stream: each once in every pass, in an order that the seed decides."""
        turn, place = divmod(position, len(self._jobs))
        return int(generator(Purpose.PARTS, self._task.seed, turn).permutation(len(self._jobs))[place])

    def _read(self, position: int) -> SegmentSampler:
        """Tokenises a part into a store of its own.

        Raises:
            UserError: too many of its examples are faulty, or it has none for training.
        """
        assert self._folder is not None
        part = self.part(position)
        results = list(self._jobs[part]())
        faults = [one for one in results if isinstance(one, Fault)]
        episodes = [self._task.tokenise(one) for one in results if not isinstance(one, Fault)]
        listing = self._task.folder("train").with_name(f"{self._task.folder('train').name}.part-{part}.faults.txt")
        good = self._task.num_examples(episodes)
        allowed = self._task.allowed_faults(good + sum(fault.examples for fault in faults))
        check_faults(self._task.name, f"train (part {part})", faults, good, allowed, listing, self._task.unit)
        if not episodes:
            raise UserError(f"task {self._task.name}: part {part} of the training data holds nothing to train on")
        folder = Path(self._folder.name) / str(position)
        write_store(folder, episodes, {"task": self._task.name, "part": part})
        store = EpisodeStore(folder)
        shutil.rmtree(folder)  # what is mapped stays readable, and its room on the disk is free once it is let go of
        return SegmentSampler(store, self._task.context_length, self._prompts, self._task.timesteps)


def task_sampler(
    task: TaskDataModule, split: Split, prompts: PromptSettings, readers: Readers = Readers()
) -> SegmentSampler | PartStream:
    """Draws training segments of a task's split; a stream needs to know who else reads of it."""
    if split in task.stored_splits:
        return SegmentSampler(task.stores[split], task.context_length, prompts, task.timesteps)
    assert task.sequences_per_part is not None
    return PartStream(task, task.jobs(split), task.sequences_per_part, prompts, readers)
