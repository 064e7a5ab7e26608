"""A forked process that serves requests over a pipe; environments and policies, which may hang or crash, run in it.

The pools of libraries do not fit. `multiprocessing.Pool` waits forever for a process that was killed; loky, which joblib uses,
breaks the whole pool then; pebble limits the time of a task, but cannot name the episode of a task that is at fault. None of
them sends the steps of an episode to the process that holds its environment.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_LOOK_EVERY = 1.0  # seconds between looks at whether the parent lives


class WorkerProcess:
    """A process that runs `serve(pipe, *arguments)` and ends with its parent, even if that is killed.

    It ignores interrupts: what they mean is decided by the parent.

    Args:
        serve: reads requests from the pipe and answers them.
        arguments: further arguments of `serve`, which the process finds in its copy of the memory; nothing is pickled.

    Attributes:
        pipe: connection to the process. Reading it raises EOFError or OSError when the process has died.
    """

    def __init__(self, serve: Callable[..., None], *arguments: Any) -> None:
        # Forked, not spawned: importing everything anew would cost more than most requests, and tasks hold objects that cannot
        # be pickled. Workers run simulators and numpy only: torch's threads do not survive a fork.
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        in_main_thread = threading.current_thread() is threading.main_thread()
        told = (os.getpid(), in_main_thread, serve, theirs, arguments)
        self._process = context.Process(target=_run, args=told, daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """Number of the process in the operating system."""
        return self._process.pid

    def is_alive(self) -> bool:
        """Returns whether the process still runs."""
        return self._process.is_alive()

    def cause_of_death(self) -> str:
        """Waits for the end of a dying process and returns its signal, such as `SIGKILL`, or its exit status."""
        self._process.join()
        code = self._process.exitcode or 0
        return signal.Signals(-code).name if code < 0 else f"exit status {code}"

    def join(self, seconds: float) -> None:
        """Waits so long at most for the process to end by itself."""
        self._process.join(seconds)

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.join()
        self.pipe.close()


def _run(parent: int, in_main_thread: bool, serve: Callable[..., None], pipe: Connection, arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    # A progress bar of the parent may have replaced these, and its lock may never be released here.
    sys.stdout, sys.stderr = sys.__stdout__ or sys.stdout, sys.__stderr__ or sys.stderr
    # Linux kills the process even if it hangs, but already when the thread that started it ends.
    if sys.platform == "linux" and in_main_thread:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    else:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    if os.getppid() == parent:
        with contextlib.suppress(EOFError, BrokenPipeError):  # the parent has just ended
            serve(pipe, *arguments)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY)
    os._exit(1)
