"""Images with texts, from whatever they are stored in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from datamodules.faults import Fault


@dataclass(frozen=True)
class ImageText:
    """An image and the texts that belong to it.

    Args:
        key: names it on every machine; its hash decides on which side of a split it stands.
        image: the file, or what is in it.
        name: for messages.
        texts: one or more.
    """

    key: str
    image: Path | bytes
    name: str
    texts: tuple[str, ...]


# Reads one part of a data set (a shard, some entries of an annotation file) from its beginning.
Reader = Callable[[], Iterable[ImageText | Fault]]
