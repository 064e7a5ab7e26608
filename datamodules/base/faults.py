"""Faults: examples that cannot be read and episodes that fail. They are counted, listed, and left out while they are few."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gato_lightning.errors import UserError

log = logging.getLogger(__name__)

_SHOWN = 3  # faults quoted in a log line or an error; the file lists all of them


@dataclass(frozen=True)
class Fault:
    """A fault in one example or episode.

    Args:
        message: names the file with line or entry, and what was expected; for an episode, the seed and what happened.
        examples: number of examples lost.
    """

    message: str
    examples: int = 1


def check_faults(
    task: str, split: str, faults: Sequence[Fault], good: int, allowed: float, listing: Path, unit: str = "examples"
) -> None:
    """Writes the faults to a file and logs a warning; raises an error if there are too many.

    Args:
        task: name of the task.
        split: name of the split.
        faults: the faults of the examples that were left out.
        good: number of examples without a fault.
        allowed: share of all examples that may be faulty, in [0, 1].
        listing: the file to write, one line per fault.
        unit: name of what is counted, for messages.

    Raises:
        UserError: if a larger share is faulty, or no good example is left.
    """
    if not faults:
        return
    listing.parent.mkdir(parents=True, exist_ok=True)
    listing.write_text("".join(f"{fault.message}\n" for fault in faults), encoding="utf-8")
    bad = sum(fault.examples for fault in faults)
    total = bad + good
    first = "; ".join(fault.message for fault in faults[:_SHOWN]) + ("; ..." if len(faults) > _SHOWN else "")
    what = f"task {task}: {bad} of {total} {split} {unit}"
    if bad > allowed * total:
        raise UserError(f"{what} are faulty, more than the share of {allowed:g} (max_faults): {first}; all are in {listing}")
    if not good:
        raise UserError(f"{what} are faulty: {first}; all are in {listing}")
    log.warning("%s are faulty and left out: %s; all are in %s", what, first, listing)
