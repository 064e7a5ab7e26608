"""Locks on stores, so that of several runs that need the same store one makes it and the others use it.

A lock is the kernel's and goes with its process, however that ends. Stores share 256 of them, as a process may not have many
more files open: now and then a run waits for a store that it does not need.
"""

import contextlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from datamodules.base.task import TaskDataModule

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(tasks: Sequence[TaskDataModule]) -> Iterator[list[TaskDataModule]]:
    """Those of the tasks whose stores no other process is making, locked; if there is none, waits until there may be one."""
    with contextlib.ExitStack() as held:
        paths = {task: _path(task) for task in tasks}
        taken = {path for path in set(paths.values()) if _take(path, held, timeout=0)}
        if not taken:
            names, cache = ", ".join(task.name for task in tasks), _path(tasks[0]).parent
            log.warning("another process is making episodes of %s in %s: waiting for it", names, cache)
            taken = {path for path in [_path(tasks[0])] if _take(path, held, timeout=-1)}
        yield [task for task in tasks if paths[task] in taken]


def _path(task: TaskDataModule) -> Path:
    """The lock of a task's stores, by the beginning of their key."""
    folder = task.folder("val")
    return folder.with_name(f".{folder.name.rpartition('-')[2][:2]}.lock")


def _take(path: Path, held: contextlib.ExitStack, timeout: float) -> bool:
    """Holds a lock until `held` is closed, unless another process has it for longer than so many seconds; -1: ever."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held.enter_context(FileLock(path, timeout=timeout))
    except Timeout:
        return False
    # Removed while it is held: who waits for it gets it all the same, and looks for the store before making it.
    held.callback(path.unlink, missing_ok=True)
    return True
