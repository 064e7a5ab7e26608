"""Environments in worker processes: one that raises, hangs or dies fails its episode and touches nothing else."""

import contextlib
import os
import time
from collections.abc import Iterable
from multiprocessing.connection import wait
from typing import Any

from gato_lightning.common.worker_process import WorkerProcess
from gato_lightning.evaluation.environment_worker import Outcome, serve
from gato_lightning.sequences.tasks import ControlTask


class _Worker:
    """A process, started when it is first needed and again after it was killed."""

    def __init__(self, tasks: dict[str, ControlTask]) -> None:
        self._tasks = tasks
        self.process: WorkerProcess | None = None
        self.waiting: list[int] = []  # lanes that an answer is due for, in the order of the commands
        self.since = 0.0  # when the first of them got its turn

    def send(self, lane: int, command: str, *arguments: Any) -> None:
        if self.process is None:
            self.process = WorkerProcess(serve, self._tasks)
        if not self.waiting:
            self.since = time.monotonic()
        self.waiting.append(lane)
        with contextlib.suppress(OSError):  # if it has died, reading its answer will say so
            self.process.pipe.send((lane, command, arguments))

    def receive(self) -> tuple[int, Outcome]:
        assert self.process is not None
        lane, outcome = self.process.pipe.recv()
        self.waiting.remove(lane)
        self.since = time.monotonic()
        return lane, outcome

    def kill(self) -> None:
        """Ends the process at once."""
        if self.process is not None:
            self.process.kill()
            self.process, self.waiting = None, []

    def close(self) -> None:
        """Asks the process to close its environments, and ends it if it does not within a few seconds."""
        if self.process is not None:
            with contextlib.suppress(OSError):  # it may have died
                self.process.pipe.send(None)
            self.process.join(5.0)
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
        """Resets an environment of a task in a lane; `outcomes` has what came of it."""
        self._worker(lane).send(lane, "begin", task.name, seed, record)

    def step(self, lane: int, action: Any) -> None:
        """Acts in a lane's environment; `outcomes` has what came of it."""
        self._worker(lane).send(lane, "step", action)

    def outcomes(self) -> dict[int, Outcome]:
        """By lane, what came of all that was begun and stepped since the last time."""
        found: dict[int, Outcome] = {}
        while busy := [worker for worker in self._workers if worker.waiting]:
            patience = min(worker.since for worker in busy) + self._time_limit - time.monotonic()
            ready = wait([worker.process.pipe for worker in busy if worker.process], max(patience, 0.0))
            for worker in busy:
                assert worker.process is not None
                if worker.process.pipe in ready:
                    try:
                        lane, outcome = worker.receive()
                        found[lane] = outcome
                    except (EOFError, OSError):
                        self._give_up(worker, found, f"the environment's process died ({worker.process.cause_of_death()})")
                elif time.monotonic() - worker.since > self._time_limit:
                    self._give_up(worker, found, f"no answer from the environment in {self._time_limit:g} s")
        return found

    def close(self) -> None:
        """Ends all workers."""
        for worker in self._workers:
            worker.close()

    def _worker(self, lane: int) -> _Worker:
        return self._workers[lane % len(self._workers)]

    def _give_up(self, worker: _Worker, found: dict[int, Outcome], why: str) -> None:
        """The lane whose turn it was has failed; the other running ones of the process are lost with it."""
        guilty, *others = worker.waiting
        worker.kill()
        found[guilty] = Outcome(failure=why)
        others += [lane for lane, outcome in found.items() if self._worker(lane) is worker and lane != guilty]
        for lane in others:
            if lane not in found or not (found[lane].over or found[lane].failure):
                found[lane] = Outcome(lost=True)
