"""Which values a setting may have: its annotation says so, and what is built from settings checks them first.

    lanes: PositiveInt = 32  # a whole number, 1 or more
    noise: NonNegativeFloat = 0.0
    length: PositiveInt | None = None
    stride: Literal[1, 2, 4, 8] = 1

A setting that is a number has a range in its annotation. Dataclasses check in `__post_init__`, other classes as the first thing
in `__init__`; a task's DataModule inherits the check.
"""

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from gato_lightning.errors import UserError


@dataclass(frozen=True, repr=False)
class Range:
    """Finite numbers between bounds.

    Args:
        least, most: bounds that belong to it.
        above, below: bounds that do not.
        multiple_of: which its numbers are multiples of.
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf
    multiple_of: int = 1

    def __contains__(self, value: float) -> bool:
        inside = self.least <= value <= self.most and self.above < value < self.below
        return inside and (self.multiple_of == 1 or value % self.multiple_of == 0)

    def __repr__(self) -> str:  # as help and errors show it
        lower = {self.least: f"{self.least} or more", self.above: f"above {self.above}"}
        upper = {self.most: f"at most {self.most}", self.below: f"below {self.below}"}
        parts = [words for bounds in (lower, upper) for bound, words in bounds.items() if math.isfinite(bound)]
        parts += [f"a multiple of {self.multiple_of}"] if self.multiple_of > 1 else []
        return " and ".join(parts) or "finite"


PositiveInt = Annotated[int, Range(least=1)]
NonNegativeInt = Annotated[int, Range(least=0)]
Seed = Annotated[int, Range(least=0, most=2**32 - 1)]
FiniteFloat = Annotated[float, Range()]
PositiveFloat = Annotated[float, Range(above=0)]
NonNegativeFloat = Annotated[float, Range(least=0)]
Share = Annotated[float, Range(least=0, most=1)]
ShareBelowOne = Annotated[float, Range(least=0, below=1)]
ShareBetween = Annotated[float, Range(above=0, below=1)]  # of a whole that is cut in two, neither part empty


def check_settings(values: Mapping[str, Any], of: Callable[..., Any]) -> None:
    """Checks settings against their annotations.

    Args:
        values: by name; names that are no settings are passed over.
        of: the class whose arguments they are, those of its bases included, or the function.

    Raises:
        UserError: one is outside its range; names it.
    """
    for name, annotation in annotations(of).items():
        if name in values:
            for place, value, expected in _faults(values[name], annotation):
                raise UserError(f"{of.__name__}.{name}{place}: {value!r}, expected {expected}")


@cache
def annotations(of: Callable[..., Any]) -> dict[str, Any]:
    """By name, the annotations of the arguments of a class, those of its bases included, or of a function."""
    bases = reversed(of.__mro__) if isinstance(of, type) else ()
    found: dict[str, Any] = {}
    for maker in [vars(base)["__init__"] for base in bases if "__init__" in vars(base)] or [of]:
        with contextlib.suppress(NameError):  # a class from elsewhere, whose types are imported for type checkers alone
            found |= get_type_hints(maker, include_extras=True)
    return {name: annotation for name, annotation in found.items() if name != "return"}


def _faults(value: Any, annotation: Any) -> Iterator[tuple[str, Any, str]]:
    """What is outside the ranges in an annotation: where in the value, that part of it, and what was expected."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        whole = parts[0] is int
        number = not isinstance(value, bool) and isinstance(value, Integral if whole else Real) and math.isfinite(value)
        for limits in (one for one in parts[1:] if isinstance(one, Range)):
            if not number or value not in limits:
                yield "", value, f"a {'whole ' if whole else ''}number, {limits}"
    elif origin is Literal:
        if value not in parts:
            yield "", value, " or ".join(map(repr, parts))
    elif origin in (Union, UnionType):
        faults = [list(_faults(value, part)) for part in parts if part is not NoneType]
        if value is not None and all(faults):  # it fits none of them
            yield from faults[0]
    elif isinstance(value, Mapping) and len(parts) == 2:
        for key, one in value.items():
            yield from ((f".{key}{place}", *rest) for place, *rest in _faults(one, parts[1]))
    elif isinstance(value, list | tuple) and parts:
        each = parts[:1] * len(value) if origin is not tuple or parts[-1] is Ellipsis else parts
        for index, (one, part) in enumerate(zip(value, each, strict=False)):
            yield from ((f"[{index}]{place}", *rest) for place, *rest in _faults(one, part))
