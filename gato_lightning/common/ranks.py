"""Ranks that decide together: what fails on one of them ends all of them with the same line, and none waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch.distributed as dist

from gato_lightning.errors import UserError, said

PATIENCE = timedelta(days=365)  # one rank may be done long before another


class RankFailure(RuntimeError):
    """Something failed on a rank; the message says on which, and what."""


@contextmanager
def together() -> Iterator[None]:
    """A part of the work that may fail on some ranks only: at its end all ranks meet, and where one failed, all raise.

    Whatever may raise on one rank before the next collective goes in here, or the others wait there for ever. There is no
    collective inside, nor another such part. All ranks have to come here.

    Raises:
        UserError: the first failing rank failed with one: the same on all ranks.
        RankFailure: it failed otherwise: the same on all ranks, each with its own failure as the cause.
    """
    if not _several():
        yield
        return
    group: Any = dist.new_group(backend="gloo", timeout=PATIENCE)
    failure: Exception | None = None
    try:
        yield
    except Exception as error:
        failure = error
    told = None if failure is None else (isinstance(failure, UserError), said(failure))
    found: list[tuple[bool, str] | None] = [None] * dist.get_world_size()
    dist.all_gather_object(found, told, group=group)
    dist.destroy_process_group(group)
    for rank, one in enumerate(found):
        if one is not None:
            by_user, text = one
            raise (UserError(text) if by_user else RankFailure(f"rank {rank}: {text}")) from failure


def all_gather(value: Any) -> list[Any]:
    """The values of all ranks, on every rank, in their order; of one process, its own."""
    if not _several():
        return [value]
    gathered: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(gathered, value)
    return gathered


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
