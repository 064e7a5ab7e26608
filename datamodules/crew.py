"""Worker processes for work that may go wrong: a step that hangs or kills its process is named, and left out the next time.

`multiprocessing.Pool` waits for ever in both cases, and what runs here is other people's environments and policies.
"""

import ctypes
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Protocol

_LOOK_EVERY = 0.2  # seconds between looks at the clocks
_PR_SET_PDEATHSIG = 1  # of Linux's prctl
_IDLE = -1.0


class Job(Protocol):
    """A picklable piece of work in steps, each known by a number."""

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> Any:
        """Does it; called again from the start when a step hung or killed the process.

        Args:
            begin: to be called with each step's number before the step.
            faults: steps to be left out, each with what happened to it.
        """


@dataclass
class _Waiting:
    job: Job
    faults: dict[int, str] = field(default_factory=dict)


@dataclass
class _Worker:
    """A process, the pipe to it, and a clock it shares with us: the present step's number, and when the step began."""

    process: BaseProcess
    pipe: Connection
    clock: Any
    waiting: _Waiting | None = None


class Crew:
    """Processes that do jobs, started when a `with` block is entered and killed when it is left.

    Args:
        workers: how many.
        limit: seconds that a step may take.
    """

    def __init__(self, workers: int, limit: float) -> None:
        # Forked, not spawned: importing everything anew would cost more than many a job.
        self._context = multiprocessing.get_context("fork")
        self._count, self.limit = workers, limit
        self._queue: deque[_Waiting] = deque()
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Crew":
        self._workers = [self._start() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            _end(worker)

    def add(self, jobs: Iterable[Job]) -> None:
        """Adds jobs, which are begun in their order."""
        self._queue.extend(map(_Waiting, jobs))

    def add_first(self, job: Job) -> None:
        """Adds a job that is begun before those that wait; also while `run` gives results."""
        self._queue.appendleft(_Waiting(job))

    def run(self) -> Iterator[tuple[Job, Any]]:
        """Gives each job with its result when it is done, until none is left; what a job raises, is raised here."""
        while True:
            for worker in self._workers:
                if worker.waiting is None and self._queue:
                    worker.waiting = self._queue.popleft()
                    worker.pipe.send(worker.waiting)
            busy = [worker for worker in self._workers if worker.waiting is not None]
            if not busy:
                return
            ready = wait([worker.pipe for worker in busy], _LOOK_EVERY)
            for worker in busy:
                if worker.pipe in ready:
                    yield from self._result(worker)
                elif worker.clock[0] != _IDLE and time.monotonic() - worker.clock[1] > self.limit:
                    self._replace(worker, f"no end within {self.limit:g} s")

    def _result(self, worker: _Worker) -> Iterator[tuple[Job, Any]]:
        waiting = worker.waiting
        assert waiting is not None
        try:
            result = worker.pipe.recv()
        except EOFError:
            worker.process.join()
            code = worker.process.exitcode or 0
            cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            self._replace(worker, f"the process died ({cause})")
        else:
            worker.waiting = None
            if isinstance(result, Exception):
                raise result
            yield waiting.job, result

    def _replace(self, worker: _Worker, fault: str) -> None:
        """Puts a new process in the place of a faulty one; its job is next in the queue, without the step at fault."""
        waiting, step = worker.waiting, int(worker.clock[0])
        assert waiting is not None
        _end(worker)
        if step == _IDLE or step in waiting.faults:
            raise RuntimeError(f"{waiting.job}: {fault}, outside of its steps")
        self._queue.appendleft(_Waiting(waiting.job, {**waiting.faults, step: fault}))
        self._workers[self._workers.index(worker)] = self._start()

    def _start(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        clock = self._context.RawArray("d", [_IDLE, 0.0])
        process = self._context.Process(target=_serve, args=(theirs, clock, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        return _Worker(process, ours, clock)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join()
    worker.pipe.close()


def _serve(pipe: Connection, clock: Any, parent: int) -> None:
    """What a worker process does. It dies with its parent, even if that is killed, and leaves interrupts to it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if os.getppid() != parent:
        return

    def begin(step: int) -> None:
        clock[1] = time.monotonic()  # first, so that the parent never sees a new step with an old time
        clock[0] = step

    while True:
        waiting = pipe.recv()
        try:
            result = waiting.job(begin, waiting.faults)
        except Exception as error:
            result = error
        clock[0] = _IDLE
        pipe.send(result)
