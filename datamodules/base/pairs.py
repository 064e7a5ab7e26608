"""Functions shared by data sets of (observation, text) pairs."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def grouped(items: Sequence[T], size: int) -> list[Sequence[T]]:
    """Splits a sequence into chunks of `size` items; the last one may be shorter."""
    return [items[start : start + size] for start in range(0, len(items), size)]
