"""What collecting costs beside what it collects from: environment, expert and random policy alone, nothing kept."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.harness import Row, rows
from datamodules.collecting.demonstrations import Finish, Plan
from datamodules.control.expert_task import ControlDataModule
from datamodules.control.suites import TASKS
from datamodules.control.trajectory import random_return
from gato_lightning.sequences.tasks import DEMONSTRATION_SEED, REFERENCE_SEED

CHOSEN = ("cartpole", "taxi", "lunarlander", "babyai-goto-local", "metaworld-reach-v3")
OURS, ALONE = "collect", "environment and policies alone"


def run(full: bool) -> list[Row]:
    """The same episodes of some tasks, kept as a Minari data set, and only played; in one process."""
    episodes = 100 if full else 25
    tables = []
    with tempfile.TemporaryDirectory() as root:  # emptied at the end, outside of what is measured
        for name in CHOSEN:
            module = TASKS[name].make()
            sides: dict[str, Callable[[], None]] = {
                OURS: partial(collected, name, episodes, root),
                ALONE: partial(played, module, episodes),
            }
            tables.append(rows("collecting", f"{name}, {episodes} episodes", sides, 2 * episodes))
            module.env.close()
    return [*(row for table in tables for row in table), *_together(tables, episodes)]


def collected(name: str, episodes: int, root: str) -> None:
    """Episodes of expert and random policy, made into a data set."""
    plan = Plan(TASKS[name], episodes, seed=0, min_score=None, root=Path(tempfile.mkdtemp(dir=root)))
    for job in (*plan.ranges(), Finish(plan)):
        assert job(lambda seed: None, {}) is None


def played(module: ControlDataModule, episodes: int) -> None:
    """The same episodes, of which nothing is kept."""
    for seed in range(DEMONSTRATION_SEED, DEMONSTRATION_SEED + episodes):
        observation, _ = module.env.reset(seed=seed)
        expert, executed, done = module.make_expert(module.env), None, False
        while not done:
            executed = expert(observation, executed)
            observation, _, terminated, truncated, _ = module.env.step(executed)
            done = terminated or truncated
    for seed in range(REFERENCE_SEED, REFERENCE_SEED + episodes):
        random_return(module.env, module.action_space, seed)


def _together(tables: list[list[Row]], episodes: int) -> list[Row]:
    """The sums over the tasks, round by round."""
    ours, alone = ([sum(times) for times in zip(*(table[side].seconds for table in tables), strict=True)] for side in (0, 1))
    work, amount = f"all of these, {episodes} episodes each", 2 * episodes * len(tables)
    return [Row("collecting", work, OURS, ours, amount), Row("collecting", work, ALONE, alone, amount, ours)]
