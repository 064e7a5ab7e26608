"""Shards in WebDataset's format: tar files, local or remote, read from beginning to end."""

import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
from braceexpand import UnbalancedBracesError, braceexpand
from webdataset.tariterators import base_plus_ext, group_by_keys, tar_file_iterator

from datamodules.base.faults import Fault
from datamodules.readers.files import fingerprint
from datamodules.readers.image_texts import ImageText, captioned
from gato_lightning.errors import UserError

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
_IMAGES = ("jpg", "jpeg", "png", "webp")
_END = 1024  # bytes of zeros that end a tar file


def expand(source: str) -> list[str]:
    """Returns the shards that a pattern names: `{00000..00127}` counts, `{a,b}` lists, and `*` and `?` match local files.

    Raises:
        UserError: it matches no local file, or its braces are unbalanced.
    """
    try:
        shards = list(braceexpand(source))
    except UnbalancedBracesError as error:
        raise UserError(f"{source}: {error}") from error
    return [file for shard in shards for file in _matches(shard)]


def _matches(shard: str) -> list[str]:
    if is_remote(shard) or not re.search(r"[*?]", shard):
        return [shard]
    pattern = Path(shard)
    if found := sorted(str(path) for path in pattern.parent.glob(pattern.name)):
        return found
    raise UserError(f"{shard}: no such file")


def is_remote(source: str) -> bool:
    """Returns whether a source is a URL, such as `https://...` or `s3://...`."""
    return "://" in source


def shard_fingerprint(shard: str) -> list[object]:
    """Returns what changes when a local shard does; the name of a remote one."""
    return [shard] if is_remote(shard) else fingerprint(Path(shard))


class _Tail:
    """A stream that remembers its last bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.tail = file, b""

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.tail = (self.tail + data)[-_END:]
        return data


def samples(shard: str) -> Iterator[tuple[str, Mapping[str, bytes]] | Fault]:
    """Yields the samples of a shard: the key of each, and its parts by their suffix in lower case.

    WebDataset splits names at the first dot behind the last slash. Hidden files, such as those that macOS adds, are passed
    over. A shard that breaks off is read as far as it goes.

    Raises:
        UserError: a local shard does not exist.
    """
    read = 0
    faults: list[Fault] = []

    def files(stream: _Tail) -> Iterator[dict[str, Any]]:
        nonlocal read
        for file in tar_file_iterator(cast(tarfile.TarFile, stream), select_files=_visible):
            read += 1
            if base_plus_ext(file["fname"])[0] is None:
                faults.append(Fault(f"shard {shard}: {file['fname']} has no suffix"))
            yield {**file, "__url__": shard}

    def repeated(error: Exception) -> bool:
        faults.append(Fault(f"shard {shard}: {error.args[0]}"))
        return True  # go on

    try:
        # fsspec knows all endings but .tgz.
        with fsspec.open(shard, "rb", compression="gzip" if shard.endswith(".tgz") else "infer").open() as file:
            stream = _Tail(file)
            for sample in group_by_keys(files(stream), handler=repeated):
                yield sample["__key__"], {suffix: part for suffix, part in sample.items() if not suffix.startswith("__")}
            while stream.read(1 << 16):
                pass
            if stream.tail != bytes(_END):
                raise tarfile.ReadError("its end is missing")
    except FileNotFoundError as error:
        raise UserError(f"shard {shard}: no such file") from error
    except IsADirectoryError as error:
        raise UserError(f"shard {shard}: a folder, expected a tar file") from error
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        yield Fault(f"shard {shard}: breaks off after {read} files ({error})")
    yield from faults


def _visible(name: str) -> bool:
    return not name.rpartition("/")[2].startswith(".")


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
            told = parts["txt"].decode() if "txt" in parts else json.loads(parts["json"])["caption"]
        except (KeyError, TypeError):
            yield Fault(f"sample {name}: no caption; expected a part txt, or json with 'caption'")
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            yield Fault(f"sample {name}: the caption cannot be read ({error})")
        else:
            captions = told if isinstance(told, list) else ["" if told is None else told]
            if image is None:
                yield Fault(f"sample {name}: no image; expected a part {', '.join(_IMAGES)}")
            elif not all(isinstance(caption, str) for caption in captions):
                yield Fault(f"sample {name}: the caption is {told!r:.80}, expected a text or a list of texts")
            else:
                yield captioned(key, image, name, captions)


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
