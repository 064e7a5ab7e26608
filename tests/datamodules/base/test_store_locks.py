"""Runs that need the same store: one makes it, the others wait and use it; a run that is killed stops none."""

import logging
import multiprocessing
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.collecting.collect import prepare
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import is_store
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TEXT = TextTokenizer()
FORK = multiprocessing.get_context("fork")  # what runs in them is numpy


class Slow(TaskDataModule):
    """Two jobs that take a while, each of which leaves a line."""

    domain = "own"
    observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

    def __init__(self, cache: Path, seconds: float, name: str = "slow") -> None:
        super().__init__()
        self.lines, self.seconds = cache.with_name("lines"), seconds
        self.connect(name, Vocabulary(), TEXT, 64, cache)

    def settings(self) -> dict:
        return {"name": self.name}

    def jobs(self, split: Split) -> list[Job]:
        def made() -> list[Episode]:
            with self.lines.open("a") as file:
                file.write(f"{self.name} {split}\n")
            time.sleep(self.seconds)
            return [Episode(np.zeros(3, np.int64), np.zeros(3, np.int64), np.zeros(3, np.float32), "expert")]

        return [made]


def collected(cache: Path) -> list[str]:
    lines = cache.with_name("lines")
    return sorted(lines.read_text().splitlines()) if lines.exists() else []


def begun(cache: Path, count: int = 1) -> None:
    """Waits until so many jobs have begun."""
    end = time.monotonic() + 60
    while len(collected(cache)) < count:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_of_two_processes_one_makes_the_store_and_the_other_waits_and_uses_it(tmp_path, caplog):
    cache = tmp_path / "cache"
    other = FORK.Process(target=prepare, args=([Slow(cache, 1.0)], 1))
    other.start()
    begun(cache)
    task = Slow(cache, 1.0)
    with caplog.at_level(logging.WARNING):
        prepare([task], 1)
    other.join(60)
    assert other.exitcode == 0
    assert collected(cache) == ["slow train", "slow val"]
    assert f"another process is making episodes of slow in {cache}: waiting for it" in caplog.text
    task.setup("fit")
    assert sorted(path.name for path in cache.iterdir()) == sorted(task.folder(split).name for split in task.stored_splits)


def test_many_processes_at_once(tmp_path):
    cache = tmp_path / "cache"
    tasks = [Slow(cache, 0.05, f"slow-{i}") for i in range(4)]
    orders = [tasks, tasks[::-1], tasks[2:], tasks[:3]]
    processes = [FORK.Process(target=prepare, args=(some, 1)) for some in orders]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    assert collected(cache) == sorted(f"{task.name} {split}" for task in tasks for split in task.stored_splits)


def test_a_process_that_is_killed_leaves_no_lock_that_stops_the_next(tmp_path):
    cache = tmp_path / "cache"
    killed = FORK.Process(target=prepare, args=([Slow(cache, 600.0)], 1))
    killed.start()
    begun(cache)
    os.kill(killed.pid, signal.SIGKILL)
    killed.join()
    task = Slow(cache, 0.0)
    prepare([task], 1)
    assert all(is_store(task.folder(split)) for split in task.stored_splits)


def test_other_tasks_are_not_waited_for(tmp_path):
    cache = tmp_path / "cache"
    making = FORK.Process(target=prepare, args=([Slow(cache, 600.0)], 1))
    making.start()
    begun(cache)
    mine = Slow(cache, 0.0, "mine")
    try:
        prepare([mine], 1)
    finally:
        os.kill(making.pid, signal.SIGKILL)
        making.join()
    assert all(is_store(mine.folder(split)) for split in mine.stored_splits)


def test_an_empty_folder_is_not_taken_for_a_store(tmp_path):
    task = Slow(tmp_path / "cache", 0.0)
    task.folder("val").mkdir(parents=True)
    prepare([task], 1)
    assert is_store(task.folder("val"))


def test_what_a_killed_run_left_is_removed_and_made_anew(tmp_path):
    task = Slow(tmp_path / "cache", 0.0)
    half, partial = task.folder("train"), task.folder("val").with_name(f"{task.folder('val').name}.partial-abc")
    for folder in (half, partial):
        folder.mkdir(parents=True)
        (folder / "ids.npy").touch()
    prepare([task], 1)
    assert is_store(half)
    assert not partial.exists()


def test_a_folder_of_something_else_is_told_before_the_work(tmp_path):
    task = Slow(tmp_path / "cache", 0.0)
    task.folder("train").mkdir(parents=True)
    (task.folder("train") / "thesis.tex").touch()
    with pytest.raises(UserError, match=r"slow-train-.*: thesis.tex is no part of an episode store; remove the folder"):
        prepare([task], 1)
    assert collected(tmp_path / "cache") == []
    assert (task.folder("train") / "thesis.tex").exists()
