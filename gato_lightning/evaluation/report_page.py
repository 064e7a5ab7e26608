"""`python run.py report RUN...`: one or several runs side by side, as one HTML page that needs no other file."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gato_lightning.common.outputs import check_file, whole_file
from gato_lightning.errors import UserError
from gato_lightning.evaluation.figures import curves_figure, runs_figure, tasks_above_figure
from gato_lightning.evaluation.published import PUBLISHED
from gato_lightning.evaluation.report import interval_text, scores_of_records
from gato_lightning.evaluation.scores import TaskScore, summary, task_interval

TEMPLATE = Path(__file__).with_suffix(".html")
# Of TensorBoard's scalars; what begins so is drawn.
CURVES = (
    "train/loss",
    "val/loss",
    "rollout/mean_score",
    "rollout/tasks_above_half",
    "rollout/domain/",
    "throughput/tokens_per_s",
)
FACTS = ("mean_score", "steps", "parameters", "tokens_seen", "wall_seconds", "precision", "device", "machine")
Curve = tuple[list[int], list[float]]


@dataclass
class Run:
    """What a page shows of a run.

    Args:
        name: how it is called there.
        content: its `report.json`, or what `rollout` wrote.
        scores: of its control tasks.
        command: that made it; "" where it is not known.
        videos: GIFs by task.
        pictures: PNGs by tag.
        curves: (steps, values) by tag.
    """

    name: str
    content: dict[str, Any]
    scores: list[TaskScore]
    command: str = ""
    videos: dict[str, bytes] = field(default_factory=dict)
    pictures: dict[str, bytes] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)


def read_run(path: Path) -> Run:
    """Reads the log folder of a run, or the JSON file of a rollout with its videos.

    Raises:
        UserError: neither is there, or it cannot be read; names the file.
    """
    file = path / "report.json" if path.is_dir() else path
    if not file.is_file():
        raise UserError(
            f"{path}: no report.json there; expected the log folder of a finished run, or the JSON file of a rollout"
        )
    try:
        content = json.loads(file.read_text())
        scores = scores_of_records(content["control"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: not a report of this project ({type(error).__name__}: {error})") from error
    run = Run(str(path), content, scores)
    if not path.is_dir():
        run.videos = {video.stem: video.read_bytes() for video in sorted(file.with_suffix("").glob("*.gif"))}
        return run
    config = path / "config.yaml"
    if config.is_file():
        run.command = config.read_text().partition("\n")[0].removeprefix("# ")
    _read_events(path, run)
    return run


def _read_events(folder: Path, run: Run) -> None:
    events = EventAccumulator(str(folder), size_guidance={"scalars": 1000, "images": 1}).Reload()
    for tag in events.Tags()["scalars"]:
        points = events.Scalars(tag)
        if tag.startswith(CURVES) and len(points) > 1:
            run.curves[tag] = ([point.step for point in points], [point.value for point in points])
    for tag in events.Tags()["images"]:
        image = events.Images(tag)[-1].encoded_image_string
        if image.startswith(b"GIF"):
            run.videos[tag.removeprefix("video/")] = image
        elif not tag.endswith("/tasks_above"):  # drawn anew here
            run.pictures[tag] = image


def page(runs: Sequence[Run]) -> str:
    """The page."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"number": _number, "gif": _gif, "png": _png}
    named = {run.name: run.scores for run in runs if run.scores}
    tags = list(dict.fromkeys(tag for run in runs for tag in sorted(run.curves)))
    tasks = list(dict.fromkeys(one.task for run in runs for one in run.scores))
    return environment.from_string(TEMPLATE.read_text()).render(
        date=date.today().isoformat(),
        runs=runs,
        facts=[fact for fact in FACTS if any(run.content.get(fact) is not None for run in runs)],
        summaries={run.name: {key: _cells(value) for key, value in summary(run.scores).items()} for run in runs if run.scores},
        figures={run.name: _svg(tasks_above_figure(run.scores)) for run in runs if run.scores},
        means=_svg(runs_figure(named)) if named else "",
        curves={
            tag: _svg(curves_figure(tag, {run.name: run.curves[tag] for run in runs if tag in run.curves})) for tag in tags
        },
        rows={task: [_row(run, task) for run in runs] for task in tasks},
        failures={run.name: {one.task: one.failures for one in run.scores if one.failures} for run in runs},
        texts={run.name: run.content.get("text") or {} for run in runs},
        published=PUBLISHED,
    )


def _row(run: Run, task: str) -> dict[str, str]:
    """A task's cells of a run, empty where the run has not played it."""
    found = next((one for one in run.scores if one.task == task), None)
    if found is None:
        return dict.fromkeys(("score", "mean_return", "random", "expert", "episodes"), "")
    score = interval_text([found.score, *(task_interval(found) or (None, None))])
    if not found.comparable:
        score = "expert and random do not differ"
    numbers = {"mean_return": found.mean_return, "random": found.random, "expert": found.expert}
    return {"score": score, **{name: _number(value) for name, value in numbers.items()}, "episodes": str(len(found.finished))}


def _cells(found: dict[str, Any]) -> dict[str, str]:
    """A domain's summary, in words."""
    above = {f"above_{percent}": str(count) for percent, count in found["tasks_above_percent"].items()}
    return {
        "tasks": str(found["scored"]),
        **above,
        "mean": _number(found["mean_score"]),
        "interquartile_mean": interval_text(found["interquartile_mean"]),
        "failed": str(found["failed_episodes"]),
        "left_out": "; ".join(found["left_out"]),
    }


def _svg(figure: Figure) -> str:
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"


def _gif(data: bytes) -> str:
    return f"data:image/gif;base64,{base64.b64encode(data).decode()}"


def _png(data: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def _number(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def report(runs: list[str], output: str = "report.html") -> None:
    """Draws runs side by side as one HTML page.

    Args:
        runs: log folders of runs, or JSON files of rollouts.
        output: the page.

    Raises:
        UserError: a run cannot be read, or the page not be written.
    """
    path = Path(output)
    check_file(path, f"--output {path}")
    text = page([read_run(Path(run)) for run in runs])
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
    print(f"report written to {path}")
