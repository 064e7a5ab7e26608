"""Peak memory of a training step: what a process grows by from before the model is made, each side in a process of its own.

`python -m benchmarks.memory ours small fp32` prints one such number, in bytes.
"""

import subprocess
import sys
from pathlib import Path

import torch

from benchmarks import work
from benchmarks.harness import Row
from benchmarks.training import AS_USED, AT_BEST, DTYPES, make_step
from benchmarks.work import MID, SMALL

SIZES = {size.name: size for size in (SMALL, MID)}
STEPS = 3  # the optimiser's state is made in the first


def peak(side: str, size: str, dtype: str) -> int:
    """Bytes that this process grows by in three steps, at its largest."""
    torch.set_num_threads(1)
    batch = work.make_batch(work.control_space(), work.control_values, SIZES[size])
    before = _status("VmRSS")
    step = make_step(side, SIZES[size], batch, DTYPES[dtype])
    for _ in range(STEPS):
        step()
    return _status("VmHWM") - before


def run(full: bool) -> list[Row]:
    """All sides at both sizes; in full, in bf16 too."""
    result = []
    for size in SIZES:
        for dtype in DTYPES if full else ("fp32",):
            for side in ("ours", AS_USED, AT_BEST):
                command = [sys.executable, "-m", "benchmarks.memory", side, size, dtype]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                row = Row("Peak memory of a training step", f"{size} control, {dtype}", side)
                row.extra["MB"] = f"{int(done.stdout.split()[-1]) / 1e6:.0f}"
                result.append(row)
    return result


def _status(key: str) -> int:
    """A line of the process's status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


if __name__ == "__main__":
    print(peak(*sys.argv[1:4]))
