"""What data sets of (observation, text) pairs have in common."""

from collections.abc import Sequence
from typing import TypeVar

from gato_lightning.errors import UserError

T = TypeVar("T")


def grouped(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Cuts a sequence into runs of `size` items; the last one may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def check_least(setting: str, value: int, least: int) -> int:
    """Returns the value if it is `least` or more.

    Raises:
        UserError: it is less.
    """
    if value < least:
        raise UserError(f"{setting} is {value}; expected {least} or more")
    return value


def check_fraction(setting: str, value: float) -> float:
    """Returns the value if it is a share between 0 and 1, both excluded.

    Raises:
        UserError: it is not.
    """
    if not 0 < value < 1:
        raise UserError(f"{setting} is {value}; expected a share between 0 and 1")
    return value


def check_faults_allowed(value: float) -> float:
    """Returns the share of faulty examples that is allowed if it is one.

    Raises:
        UserError: it is not in [0, 1).
    """
    if not 0 <= value < 1:
        raise UserError(f"max_faults is {value}; expected a share of at least 0 and below 1")
    return value
