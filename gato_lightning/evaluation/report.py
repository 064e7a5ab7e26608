"""Tables, files and records of scores."""

import csv
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from gato_lightning.common.outputs import whole_file
from gato_lightning.common.tables import narrow_table
from gato_lightning.evaluation.published import of_domains
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore, by_domain, mean_score, summary, task_interval

CSV_COLUMNS = ("task", "domain", "seed", "length", "return", "score", "success", "failure", "truncated")


def score_tables(scores: Sequence[TaskScore]) -> Group:
    """What the terminal shows of control: every task, every domain, and what others published of these."""
    domains = summary(scores)
    parts: list[RenderableType] = [score_table(scores), *_remarks(scores), "", summary_table(scores)]
    if of_domains(domains):
        parts += ["", published_table(domains)]
    return Group(*parts)


def score_table(scores: Sequence[TaskScore]) -> Table:
    """Returns and normalised scores of every task, with means by domain."""
    caption = "score = (return - random) / |expert - random|; clipped at 1 in means only"
    table = narrow_table("control", ("task", "episodes", "return", "random", "expert", "score"), {"task"}, caption)
    for domain, group in by_domain(scores).items():
        for one in group:
            cells = [_number(value) for value in (one.mean_return, one.random, one.expert, one.score)]
            table.add_row(one.task, str(len(one.finished)), *cells)
        table.add_row(f"[bold]{domain} mean[/bold]", "", "", "", "", _number(mean_score(group)), end_section=True)
    table.add_row("[bold]mean[/bold]", "", "", "", "", _number(mean_score(scores)))
    return table


def summary_table(scores: Sequence[TaskScore]) -> Table:
    """Per domain: tasks above each percentage of expert, and interquartile mean with its interval."""
    caption = "interquartile mean of all episodes' scores, 95% interval by stratified bootstrap"
    columns = ("domain", "tasks", "above 50%", "above 75%", "interquartile mean")
    table = narrow_table("summary", columns, {"domain"}, caption)
    for domain, found in summary(scores).items():
        above = found["tasks_above_percent"]
        middle = interval_text(found["interquartile_mean"])
        table.add_row(domain, str(found["scored"]), str(above["50"]), str(above["75"]), middle)
    return table


def published_table(domains: Collection[str]) -> Table:
    """What others have published of these domains."""
    columns = ("domain", "system", "measure", "value")
    table = narrow_table("published, on tasks and references of their own", columns, columns)
    for one in of_domains(domains):
        table.add_row(one.domain, one.system, one.measure, one.value)
    return table


def interval_text(estimate: Sequence[float | None] | None) -> str:
    """`0.85 [0.80, 0.89]`; the interval is left out where there is none."""
    if estimate is None or estimate[0] is None:
        return "-"
    value, low, high = estimate
    return f"{value:.2f}" if low is None or high is None else f"{value:.2f} [{low:.2f}, {high:.2f}]"


def score_records(scores: Iterable[TaskScore]) -> list[dict[str, Any]]:
    """The same as JSON, with every episode's seed, return, length and success."""
    return [
        {
            "task": one.task,
            "domain": one.domain,
            "episodes": len(one.finished),
            "mean_return": one.mean_return,
            "random_return": one.random,
            "expert_return": one.expert,
            "score": one.score,
            "score_interval": task_interval(one),
            "success_rate": one.success_rate,
            "seeds": [episode.seed for episode in one.finished],
            "returns": one.returns,
            "lengths": [episode.length for episode in one.finished],
            "successes": [episode.success for episode in one.finished],
            "truncated": [episode.truncated for episode in one.finished],
            "failures": one.failures,
        }
        for one in scores
    ]


def scores_of_records(records: Iterable[dict[str, Any]]) -> list[TaskScore]:
    """What `score_records` wrote, read back."""
    scores = []
    for one in records:
        columns = [one[name] for name in ("seeds", "returns", "lengths")]
        # Reports of earlier versions say nothing of success, nor of how an episode ended.
        columns += [one.get(name) or [None] * len(one["seeds"]) for name in ("successes", "truncated")]
        episodes = [
            EpisodeResult(seed, total, length, success, truncated=bool(truncated))
            for seed, total, length, success, truncated in zip(*columns, strict=True)
        ]
        episodes += [_failed(line) for line in one["failures"]]
        scores.append(TaskScore(one["task"], one["domain"], one["expert_return"], one["random_return"], episodes))
    return scores


@dataclass(frozen=True)
class Findings:
    """What a callback found in a run.

    Args:
        scores: of control tasks.
        text: by task and metric, of tasks whose actions are text.
        tokens_seen: tokens trained on; None: not counted.
    """

    scores: Sequence[TaskScore] = ()
    text: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tokens_seen: int | None = None


@runtime_checkable
class Finder(Protocol):
    """A callback that has something to say in the report of a run."""

    def findings(self) -> Findings:
        """What it found; called when training has ended."""


def control_report(scores: Sequence[TaskScore]) -> dict[str, Any]:
    """What a report says of control: `mean_score`, `control` per task, `summary` per domain."""
    return {"mean_score": mean_score(scores), "control": score_records(scores), "summary": summary(scores)}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a report."""
    with whole_file(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def write_csv(path: Path, scores: Iterable[TaskScore]) -> None:
    """Writes a row a task and episode; a failed episode has a `failure` and no return."""
    with whole_file(path) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(CSV_COLUMNS)
        for one in scores:
            normalised = iter(one.episode_scores.tolist())
            for episode in one.episodes:
                score = next(normalised, None) if episode.total is not None else None
                played = (episode.seed, episode.length, episode.total, score)
                ended = (episode.success, episode.failure, episode.truncated)
                writer.writerow([one.task, one.domain, *played, *ended])


def _failed(line: str) -> EpisodeResult:
    """The episode behind a line of `TaskScore.failures`."""
    seed, _, failure = line.removeprefix("seed ").partition(": ")
    return EpisodeResult(int(seed), None, 0, failure=failure)


def _remarks(scores: Sequence[TaskScore]) -> list[Text]:
    """What a reader has to know of some tasks' rows, a line each."""
    lines = [f"{one.task}: expert and random do not differ" for one in scores if not one.comparable]
    lines += [f"{one.task}: {len(one.failures)} failed, the first: {one.failures[0]}" for one in scores if one.failures]
    return [Text(line) for line in lines]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
