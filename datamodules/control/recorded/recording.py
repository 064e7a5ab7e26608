"""Where a recorded episode is, and which split of its data set it belongs to."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules.base.task import Split

_VALIDATION = ("val", "valid", "validation")


@dataclass(frozen=True)
class Recording:
    """The place of an episode in the data.

    Args:
        file: file of the episode, for messages and to notice changes; the episodes of one file are read one after another.
        name: name of the episode in its file, for messages; "" if it is the whole file.
        where: what its reader needs to find it.
        split: the split that its data set assigns it to; None: the data set assigns none.
    """

    file: Path
    name: str = ""
    where: Any = None
    split: Split | None = None

    def __str__(self) -> str:
        return f"{self.file}, {self.name}" if self.name else str(self.file)


def split_of(name: str, names: Collection[str]) -> Split | None:
    """Returns whether the split of this name in a data set is used for training or validation; None: for neither.

    Args:
        name: name of the split.
        names: names of all splits of the data set; if none is named after validation, the one named `test` is held out.
    """
    if name in _VALIDATION or (name == "test" and not set(names) & set(_VALIDATION)):
        return "val"
    return None if name == "test" else "train"
