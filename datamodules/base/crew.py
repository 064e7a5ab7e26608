"""Worker processes for work that may go wrong: an episode that hangs or kills its process is named, and then left out."""

import contextlib
import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.sharedctypes import RawArray
from typing import Any, Protocol

from gato_lightning.common.worker_process import WorkerProcess
from gato_lightning.errors import UserError

log = logging.getLogger(__name__)

_LOOK_EVERY = 0.2  # seconds between looks at who hangs
_IDLE = -1  # no seed


class Work(Protocol):
    """A piece of work in episodes, each known by its seed. As text, it says what is done."""

    @property
    def limit(self) -> float:
        """Seconds that an episode may take."""

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> Any:
        """Does it; called again from the start when an episode hung or killed the process.

        Args:
            begin: to be called with each episode's seed before the episode.
            faults: by seed, what happened to the episodes that are to be left out.
        """


@dataclass
class _Waiting:
    """A piece of work, its place among those that the workers know already if it has one, and its faults so far."""

    piece: Work
    place: int | None = None
    faults: dict[int, str] = field(default_factory=dict)


@dataclass
class _Worker:
    """A process, and what it shares with us: the present episode's seed, and how many it has begun."""

    process: WorkerProcess
    present: Any
    waiting: _Waiting | None = None
    seen: int = 0  # of `present`: the episodes begun
    since: float = 0.0  # when this number was new, by the crew's clock


class Crew:
    """Processes that do pieces of work, started when a `with` block is entered and killed when it is left.

    Args:
        workers: how many.
        pieces: the first of them. The processes find these in their copy of memory; those that are added later are pickled.
    """

    def __init__(self, workers: int, pieces: Sequence[Work] = ()) -> None:
        self._count, self._known = workers, pieces
        self._queue = deque(_Waiting(piece, place) for place, piece in enumerate(pieces))
        self._workers: list[_Worker] = []
        self._watched = 0.0  # seconds: a clock that stands still while this process is stopped, or does something else

    def __enter__(self) -> "Crew":
        self._workers = [self._start() for _ in range(self._count)]
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.process.kill()

    def add(self, pieces: Iterable[Work]) -> None:
        """Adds pieces of work, which are begun in their order."""
        self._queue.extend(map(_Waiting, pieces))

    def add_first(self, piece: Work) -> None:
        """Adds a piece of work that is begun before those that wait; also while `run` gives results."""
        self._queue.appendleft(_Waiting(piece))

    def run(self) -> Iterator[tuple[Work, Any]]:
        """Gives each piece of work with its result when it is done, until none is left; what a piece raises, is raised here."""
        while True:
            self._hand_out()
            busy = [worker for worker in self._workers if worker.waiting is not None]
            if not busy:
                return
            begin = time.monotonic()
            ready = wait([worker.process.pipe for worker in busy], _LOOK_EVERY)
            self._watched += min(time.monotonic() - begin, 2 * _LOOK_EVERY)
            for worker in busy:
                if worker.process.pipe in ready:
                    yield from self._result(worker)
                elif self._hangs(worker):
                    self._replace(worker, f"no end within {worker.waiting.piece.limit:g} s")

    def _hangs(self, worker: _Worker) -> bool:
        assert worker.waiting is not None
        if worker.present[1] != worker.seen:
            worker.seen, worker.since = worker.present[1], self._watched
        return worker.present[0] != _IDLE and self._watched - worker.since > worker.waiting.piece.limit

    def _hand_out(self) -> None:
        """Gives every idle worker a piece of work."""
        for worker in self._workers:
            if worker.waiting is None and self._queue:
                worker.waiting = waiting = self._queue.popleft()
                with contextlib.suppress(OSError):  # if it has died, reading its answer will say so
                    worker.process.pipe.send((waiting.piece if waiting.place is None else waiting.place, waiting.faults))

    def _result(self, worker: _Worker) -> Iterator[tuple[Work, Any]]:
        waiting = worker.waiting
        assert waiting is not None
        try:
            result = worker.process.pipe.recv()
        except (EOFError, OSError):  # nothing, or the beginning of something
            self._replace(worker, f"the process died ({worker.process.cause_of_death()})")
        else:
            worker.waiting = None
            if isinstance(result, Exception):
                raise result
            self._hand_out()  # whatever our caller does with the result, the worker is busy meanwhile
            yield waiting.piece, result

    def _replace(self, worker: _Worker, fault: str) -> None:
        """Puts a new process in the place of a faulty one; its piece is next in the queue, without the episode at fault.

        Raises:
            UserError: it was in none.
        """
        waiting, seed = worker.waiting, worker.present[0]
        assert waiting is not None
        worker.process.kill()
        if seed == _IDLE:
            raise UserError(f"{waiting.piece}: {fault}")
        assert seed not in waiting.faults, f"{waiting.piece} began seed {seed}, which was to be left out"
        log.warning("%s, seed %d: %s", waiting.piece, seed, fault)
        self._queue.appendleft(_Waiting(waiting.piece, waiting.place, {**waiting.faults, seed: fault}))
        self._workers[self._workers.index(worker)] = self._start()

    def _start(self) -> _Worker:
        present = RawArray("q", [_IDLE, 0])
        return _Worker(WorkerProcess(_serve, present, self._known), present)


def _serve(pipe: Connection, present: Any, known: Sequence[Work]) -> None:
    """Does one piece of work after another."""

    def begin(seed: int) -> None:
        present[1] += 1  # first, so that the parent never sees a new episode with an old number
        present[0] = seed

    while True:
        piece, faults = pipe.recv()
        try:
            result = (known[piece] if isinstance(piece, int) else piece)(begin, faults)
        except Exception as error:
            error.add_note(f"in a worker process:\n{traceback.format_exc()}")  # tracebacks cannot be pickled
            result = error
        present[0] = _IDLE
        pipe.send(result)
