"""Interleaved measurements: A, B, A, B, ..., so that what disturbs the machine for a while disturbs all sides alike."""

import json
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

ROUNDS = 5  # at least; more only narrow the spread


@dataclass
class Row:
    """One side of one piece of work.

    Args:
        table: which table it stands in.
        work: what was done.
        side: by whom.
        seconds: of each round; none where it is not time that is measured.
        amount: units of work in a round, such as tokens; rates are in units a second.
        against: seconds of our side in the same rounds; None for our own side and where there is no other.
        extra: further columns.
    """

    table: str
    work: str
    side: str
    seconds: list[float] = field(default_factory=list)
    amount: float = 1.0
    against: list[float] | None = None
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def median(self) -> float:
        """Median seconds of a round."""
        return statistics.median(self.seconds)

    def cells(self) -> dict[str, str]:
        """The row as the Markdown table shows it; the ratio is the median of the rounds' ratios, theirs over ours."""
        shown = {"work": self.work, "side": self.side}
        if self.seconds:
            spread = (max(self.seconds) - min(self.seconds)) / self.median
            shown["ms"], shown["spread"] = f"{self.median * 1e3:.4g}", f"{spread:.0%}"
            shown["units/s"] = f"{self.amount / self.median:,.0f}"
        if self.against is not None:
            ratio = statistics.median(b / a for a, b in zip(self.against, self.seconds, strict=True))
            shown["theirs / ours"] = f"{ratio:.2f}"
        return shown | {key: f"{value:.3g}" if isinstance(value, float) else str(value) for key, value in self.extra.items()}


def interleave(
    sides: Mapping[str, Callable[[], Any]],
    seconds: float,
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of one call of each side in each round.

    Args:
        sides: what to run, by name.
        seconds: how long a side runs in a round, at least; short work is repeated.
        rounds: how many.
        clock: in seconds; for work of one thread, `time.process_time` leaves out what else the machine does.
    """
    repeats = {}
    for name, run in sides.items():
        run()  # allocations, caches, compilation
        begin = clock()
        run()
        repeats[name] = max(1, round(seconds / (clock() - begin)))
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            begin = clock()
            for _ in range(repeats[name]):
                run()
            taken[name].append((clock() - begin) / repeats[name])
    return taken


def rows(
    table: str,
    work: str,
    sides: Mapping[str, Callable[[], Any]],
    amount: float,
    seconds: float = 0.5,
    clock: Callable[[], float] = time.perf_counter,
) -> list[Row]:
    """Measures sides of the same work; the first one is ours."""
    taken = interleave(sides, seconds, clock=clock)
    ours = next(iter(sides))
    return [Row(table, work, name, times, amount, None if name == ours else taken[ours]) for name, times in taken.items()]


def machine() -> dict[str, str]:
    """Where and with what a measurement was made."""
    cpu = next((line.split(":")[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "cpu": f"{cpu or platform.processor()}, {torch.get_num_threads()} of {_cores()} cores",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "numpy", "pillow", "datasets", "transformers")},
        "commit": commit.stdout.strip(),
    }


def markdown(results: list[Row]) -> str:
    """The results as Markdown tables, one a table name."""
    lines: list[str] = []
    for table in dict.fromkeys(row.table for row in results):
        cells = [row.cells() for row in results if row.table == table]
        columns = list(dict.fromkeys(key for one in cells for key in one))
        columns = [key for key in columns if any(one.get(key) for one in cells)]
        lines += ["", f"### {table}", "", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        lines += [f"| {' | '.join(one.get(key, '') for key in columns)} |" for one in cells]
    return "\n".join(lines)


def write(path: Path, about: Mapping[str, str], results: list[Row]) -> None:
    """Writes every round of every side as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"about": about, "results": [asdict(row) for row in results]}, indent=1))


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def _cores() -> int:
    return len([line for line in _lines("/proc/cpuinfo") if line.startswith("processor")])
