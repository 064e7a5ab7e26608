"""Locks on stores: of several runs that need the same store, one makes it and the others wait for it.

The kernel releases a lock when its process ends, in whatever way. All stores share 256 lock files, because a process may not
have many more files open; so a run sometimes waits for a store that it does not need.
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
    """Locks the stores that no other process is making, and yields their tasks; if there are none, waits for the first task's.

    The locks are released on exit.
    """
    with contextlib.ExitStack() as held:
        paths = {task: _path(task) for task in tasks}
        taken = {path for path in set(paths.values()) if _take(path, held, timeout=0)}
        if not taken:
            names, cache = ", ".join(task.name for task in tasks), _path(tasks[0]).parent
            log.warning("another process is making episodes of %s in %s: waiting for it", names, cache)
            taken = {path for path in [_path(tasks[0])] if _take(path, held, timeout=-1)}
        yield [task for task in tasks if paths[task] in taken]


def _path(task: TaskDataModule) -> Path:
    """Returns the lock file of a task's stores, named after the first two digits of their key."""
    folder = task.folder("val")
    return folder.with_name(f".{folder.name.rpartition('-')[2][:2]}.lock")


def _take(path: Path, held: contextlib.ExitStack, timeout: float) -> bool:
    """Takes a lock that is held until `held` closes; returns False if not free within `timeout` seconds (-1: no limit)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        held.enter_context(FileLock(path, timeout=timeout))
    except Timeout:
        return False
    # The file is removed while locked. A process that waits for it still gets the lock, and looks for the store first.
    held.callback(path.unlink, missing_ok=True)
    return True
