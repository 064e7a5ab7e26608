"""Environments in worker processes: one that raises, hangs or dies fails its episode and touches nothing else."""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import time
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

from gato_lightning.evaluation.environment_worker import Outcome, serve
from gato_lightning.sequences.tasks import ControlTask


class _Worker:
    """A process, started when it is first needed and again after it was killed."""

    def __init__(self, tasks: dict[str, ControlTask]) -> None:
        self._tasks = tasks
        self._process: multiprocessing.process.BaseProcess | None = None
        self.connection: Connection
        self.waiting: list[int] = []  # lanes that an answer is due for, in the order of the commands
        self.since = 0.0  # when the first of them got its turn

    def send(self, lane: int, command: str, *arguments: Any) -> None:
        if self._process is None:
            # Forked, not spawned: tasks hold whatever their authors put in them, and need not be pickled. Workers run
            # simulators and numpy only; torch, whose threads do not survive a fork, is never called in one.
            context = multiprocessing.get_context("fork")
            self.connection, theirs = context.Pipe()
            self._process = context.Process(target=serve, args=(theirs, self._tasks, os.getpid()), daemon=True)
            self._process.start()
            theirs.close()
        if not self.waiting:
            self.since = time.monotonic()
        self.waiting.append(lane)
        with contextlib.suppress(OSError):  # if it has died, reading its answer will say so
            self.connection.send((lane, command, arguments))

    def receive(self) -> tuple[int, Outcome]:
        lane, outcome = self.connection.recv()
        self.waiting.remove(lane)
        self.since = time.monotonic()
        return lane, outcome

    def kill(self) -> int | None:
        """Ends the process at once; returns its exit status."""
        if self._process is None:
            return None
        self._process.kill()
        self._process.join()
        status = self._process.exitcode
        self.connection.close()
        self._process, self.waiting = None, []
        return status

    def close(self) -> None:
        """Asks the process to close its environments, and ends it if it does not within a few seconds."""
        if self._process is not None:
            with contextlib.suppress(OSError):  # it may have died
                self.connection.send(None)
            self._process.join(5.0)
            self.kill()


class Environments:
    """Environments of several tasks, each lane with one of them at a time; kept between evaluations.

    Args:
        tasks: what can be played.
        lanes: environments at once.
        workers: processes that they live in; None: one a core, at most one a lane.
        time_limit: seconds that an environment may take for a reset or a step.
    """

    def __init__(self, tasks: Iterable[ControlTask], lanes: int, workers: int | None = None, time_limit: float = 60.0) -> None:
        by_name = {task.name: task for task in tasks}
        count = min(lanes, workers or os.cpu_count() or 1)
        self.lanes, self._time_limit = lanes, time_limit
        self._workers = [_Worker(by_name) for _ in range(count)]

    def begin(self, lane: int, task: ControlTask, seed: int, record: bool = False) -> None:
        """Resets an environment of a task in a lane; `gather` has what came of it."""
        self._worker(lane).send(lane, "begin", task.name, seed, record)

    def step(self, lane: int, action: Any) -> None:
        """Acts in a lane's environment; `gather` has what came of it."""
        self._worker(lane).send(lane, "step", action)

    def gather(self) -> dict[int, Outcome]:
        """By lane, what came of all that was begun and stepped since the last time."""
        outcomes: dict[int, Outcome] = {}
        while busy := [worker for worker in self._workers if worker.waiting]:
            patience = min(worker.since for worker in busy) + self._time_limit - time.monotonic()
            ready = multiprocessing.connection.wait([worker.connection for worker in busy], max(patience, 0.0))
            for worker in busy:
                if worker.connection in ready:
                    try:
                        lane, outcome = worker.receive()
                        outcomes[lane] = outcome
                    except (EOFError, OSError):
                        self._give_up(worker, outcomes, "the environment's process ended with status {}")
                elif time.monotonic() - worker.since > self._time_limit:
                    self._give_up(worker, outcomes, f"no answer from the environment in {self._time_limit:g} s")
        return outcomes

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.close()

    def _worker(self, lane: int) -> _Worker:
        return self._workers[lane % len(self._workers)]

    def _give_up(self, worker: _Worker, outcomes: dict[int, Outcome], why: str) -> None:
        """The lane whose turn it was has failed; the other running ones of the process are lost with it."""
        guilty, *others = worker.waiting
        outcomes[guilty] = Outcome(failure=why.format(worker.kill()))
        others += [lane for lane, outcome in outcomes.items() if self._worker(lane) is worker and lane != guilty]
        for lane in others:
            if lane not in outcomes or not (outcomes[lane].over or outcomes[lane].failure):
                outcomes[lane] = Outcome(lost=True)
