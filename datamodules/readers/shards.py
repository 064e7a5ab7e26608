"""Shards of WebDataset: tar files, local or remote, read from beginning to end."""

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import fsspec

from datamodules.base.faults import Fault
from datamodules.readers.files import fingerprint
from datamodules.readers.image_texts import ImageText, captioned
from gato_lightning.errors import UserError

_IMAGES = ("jpg", "jpeg", "png", "webp")
_END = 1024  # bytes of zeros that end a tar file


def expand(source: str) -> list[str]:
    """The shards that a pattern names: `{00000..00127}` counts, `*` and `?` match files.

    Raises:
        UserError: it matches no local file.
    """
    if counted := re.search(r"\{(\d+)\.\.(\d+)\}", source):
        first, last = counted.groups()
        numbers = (f"{number:0{len(first)}}" for number in range(int(first), int(last) + 1))
        return [one for number in numbers for one in expand(source.replace(counted.group(), number, 1))]
    if is_remote(source) or not re.search(r"[*?]", source):
        return [source]
    pattern = Path(source)
    if found := sorted(str(path) for path in pattern.parent.glob(pattern.name)):
        return found
    raise UserError(f"{source}: no such file")


def is_remote(source: str) -> bool:
    """Whether a source is a URL, such as `https://...` or `s3://...`."""
    return "://" in source


def shard_fingerprint(shard: str) -> list[object]:
    """What changes when a shard does; of a remote one, its name alone."""
    return [shard] if is_remote(shard) else fingerprint(Path(shard))


class _Tail:
    """A stream that remembers its last bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.tail = file, b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.tail = (self.tail + data)[-_END:]
        return data


def samples(shard: str) -> Iterator[tuple[str, dict[str, bytes]] | Fault]:
    """The samples of a shard: the name up to the first dot, and what lies under each ending in lower case.

    What a shard holds before it breaks off is read.

    Raises:
        UserError: a local shard does not exist.
    """
    key, parts, read = "", dict[str, bytes](), 0
    try:
        with fsspec.open(shard, "rb").open() as file:
            stream = _Tail(file)
            with tarfile.open(fileobj=stream, mode="r|") as tar:
                for member in tar:
                    if not member.isfile():
                        continue
                    folder, _, name = member.name.rpartition("/")
                    stem, _, ending = name.partition(".")
                    if (name := f"{folder}/{stem}".lstrip("/")) != key and parts:
                        yield key, parts
                        parts = {}
                    content = tar.extractfile(member)
                    key, parts[ending.lower()] = name, content.read() if content else b""
                    read += 1
                    tar.members = []  # tarfile would remember them all
            while stream.read(1 << 16):
                pass
            if stream.tail != bytes(_END):
                raise tarfile.ReadError("its end is missing")
    except FileNotFoundError as error:
        raise UserError(f"shard {shard}: no such file") from error
    except (tarfile.TarError, OSError, EOFError) as error:
        yield Fault(f"shard {shard}: breaks off after {read} files ({error})")
        return  # the last sample may lack a part
    if parts:
        yield key, parts


def image_captions(shard: str) -> Iterator[ImageText | Fault]:
    """Images with captions, as img2dataset writes them: an image, and its caption in `txt` or under `caption` in `json`."""
    for sample in samples(shard):
        if isinstance(sample, Fault):
            yield sample
            continue
        key, parts = sample
        name = f"{shard}/{key}"
        image = next((parts[ending] for ending in _IMAGES if ending in parts), None)
        try:
            caption = parts["txt"].decode() if "txt" in parts else json.loads(parts["json"])["caption"]
        except (KeyError, TypeError):
            yield Fault(f"sample {name}: no caption; expected a part txt, or json with 'caption'")
        except (UnicodeDecodeError, json.JSONDecodeError) as error:
            yield Fault(f"sample {name}: the caption cannot be read ({error})")
        else:
            if image is None:
                yield Fault(f"sample {name}: no image; expected a part {', '.join(_IMAGES)}")
            else:
                yield captioned(key, image, name, [str(caption or "")])


def texts(shard: str) -> Iterator[tuple[str, str] | Fault]:
    """The texts of the parts `txt`, each with its key."""
    for sample in samples(shard):
        if isinstance(sample, Fault):
            yield sample
            continue
        key, parts = sample
        try:
            yield key, parts["txt"].decode()
        except KeyError:
            yield Fault(f"sample {shard}/{key}: expected a part txt")
        except UnicodeDecodeError as error:
            yield Fault(f"sample {shard}/{key}: not UTF-8 at byte {error.start}")
