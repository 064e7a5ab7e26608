"""The end of a run: a table on the terminal and `report.json` in the log folder."""

import os
import platform
import time
from importlib.metadata import version
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.table import Table

from gato_lightning.common.ranks import together
from gato_lightning.common.tables import narrow_table
from gato_lightning.evaluation.report import Finder, control_report, write_json

PACKAGES = ("gato-lightning", "torch", "lightning", "timm", "gymnasium", "numpy")


class RunReport(Callback):
    """Gathers what the other callbacks found; stands last among them.

    The mixture is printed when the run starts and logged to TensorBoard. The report says what time each part took: collection,
    from when the callbacks are made, so that imports are in none; training, with what is evaluated on the way; evaluation at
    the end. CPU seconds are those of all processes that have ended by then.
    """

    def __init__(self) -> None:
        self._marks = {"begin": _clocks()}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._marks["collection"] = _clocks()
        with together():
            if trainer.is_global_zero:
                self._show_mixture(trainer)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        self._marks["training"] = _clocks()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        folder = trainer.log_dir  # of all ranks: asking for it makes them talk to each other
        with together():
            if trainer.is_global_zero:
                report = self._report(trainer, pl_module)
                path = Path(folder or ".") / "report.json"
                write_json(path, report)
                Console().print(_text_table(report["text"]), f"report: {path}")

    def _times(self) -> dict[str, Any]:
        """Seconds by the clock and of CPU, in all and by part."""
        marks = list({**self._marks, "evaluation": _clocks()}.items())
        parts = {part: (end - begin).round(1).tolist() for (_, begin), (part, end) in pairwise(marks)}
        return {
            "wall_seconds": round(float(marks[-1][1][0] - marks[0][1][0]), 1),
            "seconds_by_part": {part: wall for part, (wall, _) in parts.items()},
            "cpu_seconds_by_part": {part: cpu for part, (_, cpu) in parts.items()},
        }

    def _show_mixture(self, trainer: Trainer) -> None:
        rows = trainer.datamodule.mixture_table()  # type: ignore[attr-defined]
        shares = trainer.datamodule.predicted_shares().items()  # type: ignore[attr-defined]
        predicted = ", ".join(f"{share:.0%} {kind}" for kind, share in shares)
        Console().print(mixture_table(rows), f"predicted tokens: {predicted}")
        for logger in trainer.loggers:
            if hasattr(logger.experiment, "add_text"):
                logger.experiment.add_text("mixture", _markdown(rows), trainer.global_step)

    def _report(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        found = [callback.findings() for callback in callbacks if isinstance(callback, Finder)]
        text: dict[str, dict[str, float]] = {}
        for task, metrics in (item for one in found for item in one.text.items()):
            text.setdefault(task, {}).update(metrics)
        seen = [one.tokens_seen for one in found if one.tokens_seen is not None]
        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.startswith("val/")}
        return {
            **control_report([score for one in found for score in one.scores]),
            "text": text,
            "validation_loss": losses,
            **self._times(),
            "tokens_seen": seen[0] if seen else None,
            "steps": trainer.global_step,
            "parameters": sum(parameter.numel() for parameter in pl_module.parameters()),
            "machine": platform.platform(),
            "device": str(pl_module.device),
            "precision": str(getattr(trainer, "precision_choice", trainer.precision)),  # Lightning's own Trainer has no reason
            "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        }


def _clocks() -> np.ndarray:
    """Seconds by the clock, and of CPU of this process and of those it has waited for."""
    return np.array([time.time(), sum(os.times()[:4])])


def mixture_table(rows: list[dict[str, Any]]) -> Table:
    """What the run will see, for the terminal."""
    columns = [column for column in rows[0] if column != "domain"]
    caption = "weight: share of the sequences; epochs: of the tokens, in this run"
    table = narrow_table("mixture", columns, {"task"}, caption)
    for domain, group in groupby(rows, lambda row: row.get("domain")):
        members = list(group)
        if domain is not None and [row["task"] for row in members] != [domain]:
            table.add_row(f"[bold]{domain}[/bold]")
        for row in members:
            table.add_row(*(_cell(row.get(column, "")) for column in columns))
        table.add_section()
    return table


def _text_table(text: dict[str, dict[str, float]]) -> Table:
    table = narrow_table("text", ("task", "metric", "value"), {"task", "metric"})
    for task, metrics in text.items():
        for name, value in metrics.items():
            table.add_row(task, name, _cell(value))
    return table


def _markdown(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(column, "")) for column in columns] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
