"""Tables of scores and the report of a run."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.table import Table

from gato_lightning.rollout import TaskScore, mean_score


def by_domain(scores: Iterable[TaskScore]) -> dict[str, list[TaskScore]]:
    """Scores grouped by domain, in order of appearance."""
    groups: dict[str, list[TaskScore]] = {}
    for score in scores:
        groups.setdefault(score.domain, []).append(score)
    return groups


def score_table(scores: list[TaskScore]) -> Table:
    """Returns and normalised scores of every task, with means by domain, for the terminal."""
    table = Table(title="control", caption="score = (return - random) / |expert - random|; clipped at 1 in means only")
    for column in ("task", "episodes", "return", "random", "expert", "score"):
        table.add_column(column, justify="left" if column == "task" else "right")
    for domain, group in by_domain(scores).items():
        for one in group:
            cells = [_number(value) for value in (one.mean_return, one.random, one.expert, one.score)]
            failed = f" ({len(one.failures)} failed: {one.failures[0]})" if one.failures else ""
            table.add_row(one.task + failed, str(len(one.returns)), *cells)
        table.add_row(f"[bold]{domain} mean[/bold]", "", "", "", "", _number(mean_score(group)), end_section=True)
    table.add_row("[bold]mean[/bold]", "", "", "", "", _number(mean_score(scores)))
    return table


def score_records(scores: Iterable[TaskScore]) -> list[dict[str, Any]]:
    """The same as JSON, with every episode's seed, return and length."""
    return [
        {
            "task": one.task,
            "domain": one.domain,
            "episodes": len(one.returns),
            "mean_return": one.mean_return,
            "random_return": one.random,
            "expert_return": one.expert,
            "score": one.score,
            "seeds": one.seeds,
            "returns": one.returns,
            "lengths": one.lengths,
            "failures": one.failures,
        }
        for one in scores
    ]


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a report."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
