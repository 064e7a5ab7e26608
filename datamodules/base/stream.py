"""Streaming: the parts of a large data set are tokenised when a run reaches them, not all beforehand.

    sequences of reader r: | 0 ... n-1           | n ... 2n-1               | ...
    drawn from part:       | order[r]            | order[readers + r]       | ...    order: drawn anew in each pass

A reader is one DataLoader worker of one rank, so one process reads each part, once per pass. The index of a sequence alone
decides which part it is drawn from, so a resumed run continues with the same sequences if ranks, workers and batch size are
the same. Otherwise it continues at about the same place in the pass: parts read at that time may be read again or skipped.
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
    """Describes how sequences are divided among the readers of a stream.

    Args:
        count: number of DataLoader workers of all ranks together, at least 1.
        batch_size: number of sequences in a batch.
        first: index of the first sequence that begins a batch, below `batch_size`; 0 unless a run resumed with another batch
            size.
    """

    count: int = 1
    batch_size: int = 1
    first: int = 0


class PartStream:
    """Draws segments of a task part by part; replaces a `SegmentSampler`.

    Args:
        task: a task that is connected and set up.
        jobs: the jobs that read the parts, one each.
        sequences: number of sequences drawn from a part before the next one.
        prompts: how prompts are drawn; a prompt comes from the same part.
        readers: how sequences are divided among the readers.

    Attributes:
        widest: number of slots of the longest timestep in the validation split.
    """

    def __init__(
        self, task: TaskDataModule, jobs: list[Job], sequences: int, prompts: PromptSettings, readers: Readers
    ) -> None:
        self._task, self._jobs, self._sequences = task, jobs, sequences
        self._prompts, self._readers = prompts, readers
        self.widest = task.stores["val"].widest
        self._thread: ThreadPoolExecutor | None = None  # created in the process that reads
        self._parts: dict[int, Future[SegmentSampler]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def at(self, index: int) -> SegmentSampler:
        """Returns the sampler of the part that sequence `index` is drawn from.

        Waits until the part is read; a thread then reads the next one.
        """
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
        """Returns the index of the part at a position of the stream; a pass has each part once, in an order set by the seed."""
        turn, place = divmod(position, len(self._jobs))
        return int(generator(Purpose.PARTS, self._task.seed, turn).permutation(len(self._jobs))[place])

    def _read(self, position: int) -> SegmentSampler:
        """Tokenises a part into a temporary store, and returns its sampler.

        Raises:
            UserError: if too many of its examples are faulty, or it has none for training.
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
        shutil.rmtree(folder)  # mapped files stay readable; the disk space is freed when the mapping ends
        return SegmentSampler(store, self._task.context_length, self._prompts, self._task.timesteps)


def task_sampler(
    task: TaskDataModule, split: Split, prompts: PromptSettings, readers: Readers = Readers()
) -> SegmentSampler | PartStream:
    """Returns the sampler of a task's split; `readers` matters only to a streamed split."""
    if split in task.stored_splits:
        return SegmentSampler(task.stores[split], task.context_length, prompts, task.timesteps)
    assert task.sequences_per_part is not None
    return PartStream(task, task.jobs(split), task.sequences_per_part, prompts, readers)
