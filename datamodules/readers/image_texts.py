"""Images with texts, from whatever they are stored in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from datamodules.base.faults import Fault
from gato_lightning.tokens.episode import Example


@dataclass(frozen=True)
class Pair:
    """What is said about an image.

    Args:
        text: a caption, or the answer.
        question: what is asked, if anything.
        example: what to score a written text against, where the pair is held out.
    """

    text: str
    question: str = ""
    example: Example | None = None


@dataclass(frozen=True)
class ImageText:
    """An image and what is said about it.

    Args:
        key: names it on every machine; its hash decides on which side of a split it stands.
        image: the file, or what is in it.
        name: for messages.
        pairs: one or more.
    """

    key: str
    image: Path | bytes
    name: str
    pairs: tuple[Pair, ...]


# Reads one part of a data set (a shard, some entries of an annotation file) from its beginning.
Reader = Callable[[], Iterable[ImageText | Fault]]


def captioned(key: str, image: Path | bytes, name: str, captions: Iterable[str]) -> ImageText | Fault:
    """An image with its captions, in one line each, or the fault that there is none."""
    texts = tuple(text for caption in captions if (text := " ".join(caption.split())))
    if not texts:
        return Fault(f"image {name}: the caption is empty")
    return ImageText(key, image, name, tuple(Pair(text, example=Example(texts)) for text in texts))
