"""What making the stores of the main job costs, by task and kind of work, in CPU seconds of one process."""

import importlib
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from benchmarks.harness import Row, interleave
from datamodules.base.task import TaskDataModule
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

CONFIG = Path("conf/gato_small.yaml")
CONTEXT = 256

Job = Callable[[], Iterable[Any]]


def run(full: bool) -> list[Row]:
    """The first job of each kind, its environment made beforehand, times the number of such jobs."""
    tokenizer, table = TextTokenizer(), []
    with tempfile.TemporaryDirectory() as cache:

        def connected(name: str, spec: dict[str, Any]) -> TaskDataModule:
            task = _made(**spec["datamodule"])
            task.connect(name, Vocabulary(), tokenizer, CONTEXT, Path(cache))
            return task

        for name, spec in yaml.safe_load(CONFIG.read_text())["data"]["tasks"].items():
            task = connected(name, spec)
            demonstrations = task.jobs("train")
            kinds: dict[str, list[Job]] = {**task.measurements(), "demonstrations": demonstrations}
            counts = {kind: len(jobs) for kind, jobs in kinds.items()} | {"tokens": len(demonstrations)}
            sides = {kind: partial(_played, jobs[0]) for kind, jobs in kinds.items()}
            sides["tokens"] = partial(_tokenised, task, _played(demonstrations[0]))
            if not task.measurements():  # what is read before there are jobs
                counts["jobs"], sides["jobs"] = 1, lambda name=name, spec=spec: connected(name, spec).jobs("train")
            taken = interleave(sides, 1.0 if full else 0.1, clock=time.process_time)
            table += [Row("preparing", name, kind, [counts[kind] * one for one in taken[kind]], counts[kind]) for kind in sides]
    totals = [sum(seconds) for seconds in zip(*(row.seconds for row in table), strict=True)]
    return [*table, Row("preparing", "all tasks", "all", totals, sum(row.amount for row in table))]


def _made(class_path: str, init_args: dict[str, Any] | None = None) -> TaskDataModule:
    module, _, name = class_path.rpartition(".")
    made: TaskDataModule = getattr(importlib.import_module(module), name)(**(init_args or {}))
    return made


def _played(job: Job) -> list[Any]:
    return list(job())


def _tokenised(task: TaskDataModule, episodes: list[Any]) -> list[Any]:
    return [task.tokenise(episode) for episode in episodes]
