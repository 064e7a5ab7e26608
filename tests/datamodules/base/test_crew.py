"""The crew: every job is done once, and a step that hangs or kills its process is named and left out."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from datamodules.base.crew import Crew


@dataclass(frozen=True)
class Steps:
    """Doubles numbers; some of them misbehave."""

    numbers: tuple[int, ...]
    hang: int | None = None
    die: int | None = None
    limit: float = 30.0
    pause: float = 0.0

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> dict[int, object]:
        done: dict[int, object] = dict(faults)
        for number in self.numbers:
            if number in faults:
                continue
            begin(number)
            if number == self.hang:
                time.sleep(60)
            if number == self.die:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(self.pause)
            done[number] = 2 * number
        return done


def outcome(jobs, workers=2):
    with Crew(workers) as crew:
        crew.add(jobs)
        return list(crew.run())


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_is_done_once(workers):
    jobs = [Steps((i, i + 100)) for i in range(10)]
    assert dict(outcome(jobs, workers)) == {
        job: {job.numbers[0]: 2 * job.numbers[0], job.numbers[1]: 2 * job.numbers[1]} for job in jobs
    }


def test_a_step_that_hangs_is_named_and_the_rest_is_done():
    hangs = Steps((1, 2, 3), hang=2, limit=2.0)
    assert dict(outcome([hangs, Steps((9,))])) == {hangs: {1: 2, 2: "no end within 2 s", 3: 6}, Steps((9,)): {9: 18}}


def test_a_step_that_kills_its_process_is_named_and_the_rest_is_done():
    assert outcome([Steps((1, 2, 3), die=2)])[0][1] == {1: 2, 2: "the process died (SIGKILL)", 3: 6}


def test_a_run_that_is_stopped_for_a_while_loses_nothing():
    def run(results):
        os.setpgid(0, 0)
        results.send("begun")
        results.send(outcome([Steps((1, 2), pause=0.6, limit=1.5)]))

    ours, theirs = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=run, args=(theirs,))
    child.start()
    ours.recv()
    time.sleep(0.5)
    os.killpg(child.pid, signal.SIGSTOP)
    time.sleep(2.5)
    os.killpg(child.pid, signal.SIGCONT)
    [(_, result)] = ours.recv()
    child.join()
    assert result == {1: 2, 2: 4}


def test_jobs_may_be_added_while_others_are_done():
    with Crew(2) as crew:
        crew.add([Steps((1,))])
        seen = []
        for job, _ in crew.run():
            seen.append(job.numbers[0])
            if job.numbers[0] < 4:
                crew.add_first(Steps((job.numbers[0] + 1,)))
    assert seen == [1, 2, 3, 4]


def test_what_a_job_raises_is_raised():
    with pytest.raises(TypeError, match="as an integer"):
        outcome([Steps(("a",))])


def test_no_process_is_left_behind():
    with Crew(2) as crew:
        pids = [worker.process.pid for worker in crew._workers]
        crew.add([Steps((1,), hang=1)])
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
