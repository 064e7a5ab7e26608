"""A worker process answers over its pipe, tells how it died, and never outlives its parent."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from gato_lightning.common.worker_process import WorkerProcess


def double(pipe, *arguments):
    while True:
        pipe.send((pipe.recv() * 2, *arguments))


def test_it_answers_and_finds_its_arguments_unpickled():
    worker = WorkerProcess(double, "kept")
    worker.pipe.send(21)
    assert worker.pipe.recv() == (42, "kept")
    worker.kill()
    assert not worker.is_alive()


def test_the_arguments_need_not_be_picklable():
    worker = WorkerProcess(lambda pipe, call: pipe.send(call()), lambda: "called")
    assert worker.pipe.recv() == "called"
    worker.kill()


@pytest.mark.parametrize(
    ("serve", "cause"),
    [(lambda pipe: os.kill(os.getpid(), signal.SIGTERM), "SIGTERM"), (lambda pipe: os._exit(3), "exit status 3")],
)
def test_a_dead_worker_is_told_by_its_pipe_and_its_cause(serve, cause):
    worker = WorkerProcess(serve)
    with pytest.raises((EOFError, OSError)):
        worker.pipe.recv()
    assert worker.cause_of_death() == cause


def test_an_interrupt_does_not_end_it():
    worker = WorkerProcess(double)
    worker.pipe.send(1)
    worker.pipe.recv()
    os.kill(worker.pid, signal.SIGINT)
    worker.pipe.send(2)
    assert worker.pipe.recv() == (4,)
    worker.kill()


HANGS = """
import sys, threading, time
from gato_lightning.common.worker_process import WorkerProcess
def hang(pipe):
    pipe.send("here")
    time.sleep(600)
def start():
    worker = WorkerProcess(hang)
    worker.pipe.recv()
    print(worker.pid, flush=True)
    time.sleep(600)
if sys.argv[1] == "main":
    start()
threading.Thread(target=start).start()
"""


@pytest.mark.parametrize("thread", ["main", "other"])
def test_a_hanging_worker_ends_with_a_killed_parent(thread):
    parent = subprocess.Popen([sys.executable, "-c", HANGS, thread], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 10
    while _runs(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(pid)


def test_a_worker_outlives_the_thread_that_started_it():
    started = []
    thread = threading.Thread(target=lambda: started.append(WorkerProcess(double)))
    thread.start()
    thread.join()
    started[0].pipe.send(3)
    assert started[0].pipe.recv() == (6,)
    started[0].kill()


def _runs(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
