"""Images with texts, independent of the format in which they are stored."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from datamodules.base.faults import Fault
from gato_lightning.tokens.episode import Example


@dataclass(frozen=True)
class Pair:
    """A text about an image.

    Args:
        text: a caption, or the answer to the question.
        question: the question; empty for a caption.
        example: references by which generated texts are scored if the pair is held out.
    """

    text: str
    question: str = ""
    example: Example | None = None


@dataclass(frozen=True)
class ImageText:
    """An image and the texts about it.

    Args:
        key: a name that is the same on every machine; its hash decides the split.
        image: path of the image file, or its bytes.
        name: name of the image in messages.
        pairs: one or more texts.
    """

    key: str
    image: Path | bytes
    name: str
    pairs: tuple[Pair, ...]


# Reads one part of a data set (a shard, or some entries of an annotation file).
Reader = Callable[[], Iterable[ImageText | Fault]]


def captioned(key: str, image: Path | bytes, name: str, captions: Iterable[str]) -> ImageText | Fault:
    """Returns an image with its captions, each in one line, or a fault if all captions are empty."""
    texts = tuple(text for caption in captions if (text := " ".join(caption.split())))
    if not texts:
        return Fault(f"image {name}: the caption is empty")
    return ImageText(key, image, name, tuple(Pair(text, example=Example(texts)) for text in texts))
