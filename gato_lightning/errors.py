"""The errors this project raises on purpose."""

import difflib
from collections.abc import Iterable
from typing import TypeVar

E = TypeVar("E", bound=BaseException)


class UserError(ValueError):
    """A mistake in what the user gave (config, data, checkpoint): the command line prints it without a traceback."""


class ExpertFailure(RuntimeError):
    """An expert could not finish an episode; the collector drops the episode and goes on."""


def behind(error: BaseException | None, kind: type[E]) -> E | None:
    """Returns the error of a kind that led to another: the parser wraps what is raised while it builds one of several types.

    Args:
        error: the error that was caught; None: none.
        kind: `UserError` for a mistake of the user's, `ModuleNotFoundError` for a package that is not installed.
    """
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    return error


def said(error: BaseException) -> str:
    """An error in one line; without its type where it was written for the user."""
    text = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return " ".join(text.split())


def unknown(kind: str, value: str, known: Iterable[str]) -> UserError:
    """Builds the error for a name that is not among the known ones, with the nearest of them.

    Args:
        kind: What the name stands for, such as `"task"`.
        value: The name that was given.
        known: The names that would have been understood.
    """
    names = sorted(known)
    if hint := did_you_mean(value, names):
        return UserError(f"unknown {kind} '{value}'{hint}")
    # A long list buries the message, so only its beginning is shown.
    rest = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return UserError(f"unknown {kind} '{value}'; known: {', '.join(names[:12]) or 'none'}{rest}")


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Returns `"; did you mean x or y?"` with the names near to a value, or nothing where none is near."""
    near = difflib.get_close_matches(value, sorted(known), n=3, cutoff=0.6)
    likeness = [difflib.SequenceMatcher(None, name, value).ratio() for name in near]
    # Beside a good guess, poor ones only confuse.
    near = [name for name, ratio in zip(near, likeness, strict=True) if ratio > likeness[0] - 0.1]
    return f"; did you mean {' or '.join(near)}?" if near else ""
