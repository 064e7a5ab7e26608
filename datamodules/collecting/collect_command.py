"""`python run.py collect`: collects demonstrations of many tasks as Minari data sets."""

import contextlib
import json
import os
import pkgutil
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from minari.dataset.minari_storage import METADATA_FILE_NAME
from minari.storage import get_dataset_path
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from datamodules.base.crew import Crew
from datamodules.collecting.demonstrations import DATASET, EpisodeRange, Finish, Plan
from datamodules.control import suites
from datamodules.control.policy import PolicyDataModule
from datamodules.control.suites import Task
from gato_lightning.common.outputs import check_folder
from gato_lightning.common.settings import FiniteFloat, PositiveFloat, PositiveInt, Seed, check_settings
from gato_lightning.common.tables import narrow_table
from gato_lightning.errors import UserError

_RETURNS = ("episodes", "expert", "random", "success", "left out", "failed")  # columns of the table of collected data sets
_WAIT_FOR_LOCK = 10.0  # seconds; the processes of a run that was just killed need a moment to end


def collect(
    suite: str | None = None,
    tasks: str | None = None,
    all: bool = False,
    env: str | None = None,
    policy: str | None = None,
    env_kwargs: dict[str, Any] | None = None,
    reset_options: dict[str, Any] | None = None,
    name: str | None = None,
    episodes: PositiveInt = 200,
    workers: PositiveInt | None = None,
    seed: Seed = 0,
    min_score: FiniteFloat | None = 0.8,
    limit: PositiveFloat = 300.0,
    out: str | None = None,
    list: bool = False,
) -> None:
    """Plays the experts of control tasks, and saves the episodes as Minari data sets.

    The same command continues a run that was killed. Existing data sets stay as they are.

    Args:
        suite: names of suites, separated by commas.
        tasks: names of tasks, separated by commas.
        all: whether to collect all tasks of all suites.
        env: Gymnasium id of any other environment; needs `policy`.
        policy: `package.module:function`, or the file of a Stable-Baselines3 model.
        env_kwargs: what the constructor of `env` takes.
        reset_options: what `reset` of `env` takes as `options`.
        name: what the task of `env` is called; by default the environment's name, in small letters.
        episodes: of the expert, and as many of the random policy, for each task; 1 or more.
        workers: processes, 1 or more; by default one a core.
        seed: added to the seeds of the episodes; 0 or more.
        min_score: episodes below this share of the way from the random return to the expert's are left out; null keeps all.
        limit: seconds that an episode may take, above 0.
        out: folder of the data sets; by default Minari's own, `MINARI_DATASETS_PATH`.
        list: whether to only print the tasks, with the returns of those already collected.
    """
    check_settings(locals(), collect)
    root = (Path(out) if out else get_dataset_path()).absolute()
    if list:
        print(task_list(root))
        return
    chosen = _chosen(suite, tasks, all) + _own(env, policy, env_kwargs, reset_options, name)
    if not chosen:
        raise UserError("nothing to collect: expected --suite, --tasks, --all, or --env with --policy")
    check_folder(root, f"--out {root}")
    plans = [Plan(task, episodes, seed, min_score, root, limit) for task in chosen]
    (root / ".collect").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / ".collect" / "lock", timeout=_WAIT_FOR_LOCK):
            failed = run(plans, workers or os.cpu_count() or 1)
    except Timeout as error:
        raise UserError(f"{root}: another process is collecting into it") from error
    _report(plans, failed)
    if failed:
        reasons = "; ".join(f"{task}: {reason}" for task, reason in failed.items())
        raise UserError(f"{len(failed)} of {len(plans)} tasks have no data set: {reasons}")


def run(plans: Sequence[Plan], workers: int) -> dict[str, str]:
    """Makes the missing data sets.

    Returns:
        The reason of failure for each task that still has no data set.

    Raises:
        UserError: if a data set exists, but was collected with other settings.
    """
    missing = [plan for plan in plans if not _is_there(plan)]
    waiting = {plan.task.name: [one for one in plan.ranges() if not one.records.exists()] for plan in missing}
    for plan in plans:
        if plan not in missing:
            shutil.rmtree(plan.work, ignore_errors=True)  # left by a run that was killed just after it had finished
    for plan in missing:
        with contextlib.suppress(ImportError):  # the worker that needs the class reports the error
            pkgutil.resolve_name(plan.task.class_path)  # imported once here, not in each worker
    failed: dict[str, str] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Crew(workers) as crew, Progress(*columns) as progress:
        bar = progress.add_task("collecting", total=sum(2 * plan.episodes for plan in missing))
        progress.advance(bar, sum(len(one.seeds) for plan in missing for one in plan.ranges() if one.records.exists()))
        crew.add(one for plan in missing for one in waiting[plan.task.name])
        crew.add(Finish(plan) for plan in missing if not waiting[plan.task.name])
        for piece, problem in crew.run():
            task = piece.plan.task.name
            if problem:
                failed.setdefault(task, problem)
            if isinstance(piece, EpisodeRange):
                progress.update(bar, advance=len(piece.seeds), description=f"collecting {task}")
                waiting[task].remove(piece)
                if not waiting[task] and task not in failed:
                    crew.add_first(Finish(piece.plan))
    return failed


def task_list(root: Path) -> str:
    """Returns a Markdown table of all tasks and their data sets under `root`."""
    columns = ["task", "suite", "domain", *_RETURNS]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    for task in suites.TASKS.values():
        known = _metadata(root / task.name / DATASET)
        cells = [task.name, task.suite, task.domain, *(_row(known) if known else [""] * len(_RETURNS))]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, f"\n{len(suites.TASKS)} tasks"])


def _row(known: dict[str, Any]) -> list[str]:
    """Returns the cells of the columns `_RETURNS` from the metadata of a data set."""
    success = known["success_rate"]
    return [
        str(known["total_episodes"]),
        f"{known['ref_max_score']:.2f}",
        f"{known['ref_min_score']:.2f}",
        "" if success is None else f"{success:.0%}",
        str(known["left_out"]),
        str(len(known["failures"])),
    ]


def _chosen(suite: str | None, tasks: str | None, every: bool) -> list[Task]:
    """Returns the tasks that the options name, without duplicates."""
    chosen = [task for name in _names(suite) for task in suites.suite(name)] + [suites.find(name) for name in _names(tasks)]
    return list({task.name: task for task in (suites.TASKS.values() if every else chosen)}.values())


def _own(
    env: str | None,
    policy: str | None,
    env_kwargs: dict[str, Any] | None,
    reset_options: dict[str, Any] | None,
    name: str | None,
) -> list[Task]:
    """The task of the user's own environment and policy, if there is one."""
    if env is None and policy is None:
        return []
    if env is None or policy is None:
        raise UserError("--env and --policy must be given together")
    arguments = {"env_id": env, "policy": policy, "env_kwargs": env_kwargs, "reset_options": reset_options}
    name = name or env.rpartition("/")[2].rpartition(":")[2].lower()
    return [Task(name, "own", PolicyDataModule.domain, "datamodules.PolicyDataModule", arguments)]


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",")] if text else []


def _metadata(folder: Path) -> dict[str, Any] | None:
    """Returns the metadata of a data set, or None if there is no data set."""
    path = folder / "data" / METADATA_FILE_NAME
    return json.loads(path.read_text()) if path.exists() else None


def _is_there(plan: Plan) -> bool:
    """Returns whether the data set of a plan is complete.

    Raises:
        UserError: if it was collected with other settings.
    """
    known = _metadata(plan.folder)
    if known is None:
        return False
    for key, wanted in plan.settings().items():
        if known.get(key) != wanted:
            there = f"{plan.folder} was collected with {key} {known.get(key)}, not {wanted}"
            raise UserError(f"{there}: choose another --out, or delete the folder")
    return True


def _report(plans: Sequence[Plan], failed: dict[str, str]) -> None:
    """Prints the data set of each task, and which episodes are missing."""
    table = narrow_table("collected", ("task", *_RETURNS), {"task"})
    short = []
    for plan in plans:
        if plan.task.name in failed:
            continue
        known = _metadata(plan.folder)
        assert known is not None
        failures = known["failures"]
        table.add_row(plan.task.name, *_row(known))
        if known["total_episodes"] < plan.episodes:
            first = f", the first: seed {failures[0]['seed']}, {failures[0]['failure']}" if failures else ""
            counts = f"{known['left_out']} below min_score, {len(failures)} failed{first}"
            short.append(f"task {plan.task.name}: {known['total_episodes']} of {plan.episodes} episodes ({counts})")
    Console().print(table)
    print(*short, *[f"data sets in {plan.root}" for plan in plans[:1]], sep="\n")
