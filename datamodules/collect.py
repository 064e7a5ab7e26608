"""Making the stores of all tasks that lack one, in worker processes, with one progress bar."""

import logging
import multiprocessing
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from datamodules.base import Job, Measurement, Split, TaskDataModule
from datamodules.faults import Fault
from gato_lightning.errors import UserError
from gato_lightning.store import TokenEpisode

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """A job of a task: episodes of a split, or a measurement of a reference policy."""

    task: TaskDataModule
    job: Job | Measurement
    split: Split | None = None
    reference: str = ""

    def __call__(self) -> list[Any]:
        """Token episodes and faults, or returns."""
        if self.split is None:
            return list(self.job())
        episodes: list[TokenEpisode | Fault] = []
        for index, episode in enumerate(self.job()):
            try:
                episodes.append(episode if isinstance(episode, Fault) else self.task.tokenise(episode))
            except UserError as error:
                raise UserError(f"task {self.task.name}, {self.split} episode {index} of its job: {error}") from error
        return episodes


# What the forked workers find in their copy of memory, so that no task has to be pickled.
_WORK: list[Work] = []


def prepare(tasks: Sequence[TaskDataModule], workers: int) -> None:
    """Makes every missing store; one that is there is used as it is.

    Args:
        tasks: connected tasks.
        workers: processes.

    Raises:
        UserError: a value that cannot be tokenised, or a task without good episodes; names the task.
    """
    missing = [task for task in tasks if not all((task.folder(split) / "meta.json").exists() for split in task.stored_splits)]
    work = [one for task in missing for one in _work(task)]
    if not work:
        return
    results: dict[int, list[Any]] = {}
    _WORK[:] = work
    # Forked, not spawned: a worker needs nothing but what is here, and importing it anew would cost more than the work. Workers
    # run simulators and numpy only; torch, whose threads do not survive a fork, is never called in one.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with multiprocessing.get_context("fork").Pool(workers) as pool, Progress(*columns) as progress:
        bar = progress.add_task("collecting", total=len(work))
        waiting = {task.name: sum(one.task is task for one in work) for task in missing}
        for index, result in pool.imap_unordered(_indexed, range(len(work))):
            results[index] = result
            task = work[index].task
            waiting[task.name] -= 1
            progress.update(bar, advance=1, description=f"collecting {task.name}")
            if waiting[task.name] == 0:
                _finish(task, [(work[i], results.pop(i)) for i in sorted(results) if work[i].task is task])
    _WORK.clear()


def _indexed(index: int) -> tuple[int, list[Any]]:
    return index, _WORK[index]()


def _work(task: TaskDataModule) -> list[Work]:
    measured = [Work(task, job, None, name) for name, jobs in task.measurements().items() for job in jobs]
    return measured + [Work(task, job, split) for split in task.stored_splits for job in task.jobs(split)]


def _finish(task: TaskDataModule, done: list[tuple[Work, list[Any]]]) -> None:
    """Writes a task's stores from the results of its work, in order."""
    returns: dict[str, list[float]] = defaultdict(list)
    episodes: dict[str, list[Any]] = defaultdict(list)
    for work, result in done:
        (returns[work.reference] if work.split is None else episodes[work.split]).extend(result)
    references = {name: {"mean": float(np.mean(values)), "episodes": len(values)} for name, values in returns.items()}
    for split in task.stored_splits:
        if task.folder(split).exists():
            continue
        made = [one for one in episodes[split] if not isinstance(one, Fault)]
        faults = [one for one in episodes[split] if isinstance(one, Fault)]
        dropped = task.write(split, made, references, faults)
        if dropped:
            log.info("task %s: %d of %d %s episodes left out", task.name, dropped, len(made), split)
