"""Plays the expert and the random policy of every task a few times, and writes a row a task into a CSV file.

    python scripts/check_experts.py --episodes 5 --output docs/experts.csv
    python scripts/check_experts.py --episodes 5 --output docs/experts.csv --tasks atari-pong babyai-open

Finds the experts that are broken. Tasks that the file already has are left alone, so a run that was stopped goes on.
"""

import argparse
import csv
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))  # the project's root, as for run.py

import numpy as np
from rich.progress import track

from datamodules.suites import TASKS, Task, find

COLUMNS = ["task", "domain", "episodes", "failed", "expert", "random"]


def measure(task: Task, episodes: int) -> dict[str, Any]:
    """The row of a task: mean returns of both policies; `failed` counts episodes that the expert gave up."""
    measurements = task.make(reference_episodes=episodes).measurements()
    returns = {policy: [value for job in jobs for value in job()] for policy, jobs in measurements.items()}
    means = {policy: f"{np.mean(values):.5g}" if values else "" for policy, values in returns.items()}
    counts = {"episodes": episodes, "failed": episodes - len(returns["expert"])}
    return {"task": task.name, "domain": task.domain, **counts, **means}


def main() -> None:
    """Measures the tasks that the file lacks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=5, help="episodes of each policy")
    parser.add_argument("--output", type=Path, required=True, help="the CSV file")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), help="names; by default all")
    args = parser.parse_args()

    tasks = [find(name) for name in args.tasks]
    done = {row["task"] for row in csv.DictReader(args.output.open())} if args.output.exists() else set()
    with args.output.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not done:
            writer.writeheader()
        for task in track([task for task in tasks if task.name not in done], "measuring"):
            writer.writerow(measure(task, args.episodes))
            file.flush()


if __name__ == "__main__":
    main()
