"""Makes the missing stores of all tasks in worker processes, with one progress bar."""

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from datamodules.base.crew import Crew
from datamodules.base.faults import Fault, check_faults
from datamodules.base.store_locks import locked
from datamodules.base.task import Job, Measurement, Split, TaskDataModule
from datamodules.control.environment_task import EpisodeJob
from gato_lightning.common.outputs import check_folder
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import TokenEpisode, clear_store, is_store
from gato_lightning.tokens.episode import Episode

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Work:
    """A job of a task that a crew runs: it makes episodes of a split, or measures a reference policy."""

    task: TaskDataModule
    job: Job | Measurement
    split: Split | None = None
    reference: str = ""

    def __str__(self) -> str:
        return f"task {self.task.name}, {self.split or f'{self.reference} reference'}"

    @property
    def limit(self) -> float:
        """Maximum seconds per episode; infinite for jobs that play no episodes."""
        return self.job.limit if isinstance(self.job, EpisodeJob) else math.inf

    def __call__(self, begin: Callable[[int], None], faults: Mapping[int, str]) -> list[Any]:
        """Returns token episodes or returns, and faults."""
        made = self._played(self.job, begin, faults) if isinstance(self.job, EpisodeJob) else self.job()
        return list(made) if self.split is None else [self._tokenised(index, one) for index, one in enumerate(made)]

    def _played(self, job: EpisodeJob, begin: Callable[[int], None], faults: Mapping[int, str]) -> Iterator[Any]:
        try:
            yield from job.guarded(begin, faults)
        except UserError as error:
            raise UserError(f"{self}: {error}") from error

    def _tokenised(self, index: int, made: Episode | Fault) -> TokenEpisode | Fault:
        if isinstance(made, Fault):
            return made
        try:
            return self.task.tokenise(made)
        except UserError as error:
            seed = f", seed {self.job.seeds[index]}" if isinstance(self.job, EpisodeJob) else ""
            raise UserError(f"{self} episode {index} of its job{seed}: {error}") from error


def prepare(tasks: Sequence[TaskDataModule], workers: int) -> None:
    """Makes every missing store. Existing stores stay as they are; a store that another process is making is waited for.

    Args:
        tasks: connected tasks.
        workers: number of processes.

    Raises:
        UserError: if a value cannot be tokenised or a task has no good episodes (names the task), if the cache folder
            cannot be written, or if the folder of a store holds something else.
    """
    while missing := _missing(tasks):
        cache = missing[0].folder("val").parent
        check_folder(cache, f"data.cache_dir {cache}")
        with locked(missing) as ours:
            for task in _missing(ours):
                for split in task.stored_splits:
                    clear_store(task.folder(split))
            _make(_missing(ours), workers)


def _missing(tasks: Sequence[TaskDataModule]) -> list[TaskDataModule]:
    """Returns the tasks that lack a store."""
    return [task for task in tasks if not all(is_store(task.folder(split)) for split in task.stored_splits)]


def _make(tasks: Sequence[TaskDataModule], workers: int) -> None:
    waiting = {task: _work(task) for task in tasks}
    work = [one for every in waiting.values() for one in every]
    if not work:
        return
    results: dict[Work, list[Any]] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Crew(workers, work) as crew, Progress(*columns) as progress:
        bar = progress.add_task("collecting", total=len(work))
        for done, result in crew.run():
            results[done] = result
            progress.update(bar, advance=1, description=f"collecting {done.task.name}")
            if results.keys() >= set(waiting[done.task]):
                _finish(done.task, [(one, results.pop(one)) for one in waiting[done.task]])


def _work(task: TaskDataModule) -> list[Work]:
    measured = [Work(task, job, None, name) for name, jobs in task.measurements().items() for job in jobs]
    return measured + [Work(task, job, split) for split in task.stored_splits for job in task.jobs(split)]


def _finish(task: TaskDataModule, done: list[tuple[Work, list[Any]]]) -> None:
    """Writes the stores of a task from the results of its jobs, which are in order."""
    returns: dict[str, list[Any]] = defaultdict(list)
    episodes: dict[str, list[Any]] = defaultdict(list)
    for work, result in done:
        (returns[work.reference] if work.split is None else episodes[work.split]).extend(result)
    references = {name: _reference(task, name, *_parted(results)) for name, results in returns.items()}
    for split in task.stored_splits:
        if is_store(task.folder(split)):
            continue
        made, faults = _parted(episodes[split])
        dropped = task.write(split, made, references, faults)
        if dropped:
            log.info("task %s: %d of %d %s episodes left out", task.name, dropped, len(made), split)


def _reference(task: TaskDataModule, policy: str, returns: list[float], faults: list[Fault]) -> dict[str, float]:
    """Returns the mean return of a policy and the number of its episodes.

    Raises:
        UserError: if all episodes failed.
    """
    listing = task.folder("train").with_name(f"{task.folder('train').name}.{policy}.faults.txt")
    check_faults(task.name, f"{policy} reference", faults, len(returns), 1.0, listing, "episodes")
    return {"mean": float(np.mean(returns)), "episodes": len(returns)}


def _parted(results: list[Any]) -> tuple[list[Any], list[Fault]]:
    """Splits results into those that are no faults, and faults."""
    return [one for one in results if not isinstance(one, Fault)], [one for one in results if isinstance(one, Fault)]
