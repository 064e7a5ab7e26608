"""Examples that cannot be read and episodes that go wrong: counted, listed, and left out as long as they are few."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gato_lightning.errors import UserError

log = logging.getLogger(__name__)

_SHOWN = 3  # faults in a line of the log or an error; all of them are in the file


@dataclass(frozen=True)
class Fault:
    """What is wrong with one example or episode.

    Args:
        message: names the file, with line or entry, and what was expected; or the seed, and what happened.
        examples: how many examples are lost by it.
    """

    message: str
    examples: int = 1


def check_faults(
    task: str, split: str, faults: Sequence[Fault], good: int, allowed: float, listing: Path, unit: str = "examples"
) -> None:
    """Writes the faults to a file and says so; ends the run if they are too many, or all there is.

    Args:
        task: its name.
        split: of the task.
        faults: what was left out.
        good: examples without a fault.
        allowed: share of all examples that may be faulty, in [0, 1].
        listing: the file that is written, a line a fault.
        unit: what is counted.

    Raises:
        UserError: a larger share is, or nothing is left.
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
