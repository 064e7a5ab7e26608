"""Shards of WebDataset and data sets of Hugging Face as captions: what is read, and what is at fault."""

import bz2
import functools
import gzip
import http.server
import io
import json
import lzma
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest
import zstandard

from datamodules.base.faults import Fault
from datamodules.readers.shards import SUFFIXES, expand, samples
from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import photograph, stored

IMAGES = ImageSettings(height=32, width=32)


def sample(i: int, ending: str = "jpg") -> dict[str, bytes]:
    """An image with its caption and description, as img2dataset writes them."""
    buffer = io.BytesIO()
    photograph(i).save(buffer, {"jpg": "JPEG", "png": "PNG", "webp": "WEBP"}[ending])
    about = {"key": f"{i:05d}", "caption": f"picture {i}", "status": "success"}
    return {ending: buffer.getvalue(), "txt": f"picture {i}".encode(), "json": json.dumps(about).encode()}


def write_shard(path: Path, parts: dict[str, dict[str, bytes]]) -> Path:
    with tarfile.open(path, "w") as tar:
        for key, files in parts.items():
            for ending, content in files.items():
                member = tarfile.TarInfo(f"{key}.{ending}")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return path


def write_shards(folder: Path, shards: int = 2, each: int = 6) -> str:
    endings = ["jpg", "png", "webp"]
    for n in range(shards):
        write_shard(folder / f"{n:05d}.tar", {f"{i:05d}": sample(i, endings[i % 3]) for i in range(n * each, (n + 1) * each)})
    return str(folder / f"{{00000..{shards - 1:05d}}}.tar")


def captions(data: CaptionFilesDataModule) -> list[str]:
    """Those of the held-out part."""
    return sorted(reference for references in data.generation().references for reference in references)


def test_patterns_count_and_match(tmp_path: Path):
    write_shards(tmp_path)
    both = [str(tmp_path / f"0000{n}.tar") for n in range(2)]
    assert expand(str(tmp_path / "{00000..00001}.tar")) == expand(str(tmp_path / "0000?.tar")) == both
    assert expand("https://example.org/{8..10}.tar") == [f"https://example.org/{n}.tar" for n in (8, 9, 10)]
    assert len(expand("a{0..1}b{00..02}.tar")) == 6
    with pytest.raises(UserError, match=r"none\*\.tar: no such file"):
        expand(str(tmp_path / "none*.tar"))


def test_shards_are_read_whole(tmp_path: Path):
    source = write_shards(tmp_path)
    data = stored(CaptionFilesDataModule(source, source, images=IMAGES), tmp_path / "cache")
    assert data.stores["train"].num_timesteps == 12
    assert captions(data) == sorted(f"picture {i}" for i in range(12))
    first = data.generation()
    number = int(first.references[0][0].split()[1])
    image = sample(number, ["jpg", "png", "webp"][number % 3])
    expected = IMAGES.read(next(iter(image.values())), "expected")
    np.testing.assert_array_equal(first.observations[0]["image"], expected)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_shards_give_the_same_samples(tmp_path: Path, suffix: str):
    plain = write_shard(tmp_path / "plain.tar", {f"{i}": sample(i) for i in range(3)})
    packed = tmp_path / f"packed{suffix}"
    open_packed = {"gz": gzip.open, "tgz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zst": zstandard.open}
    with open_packed.get(suffix.rpartition(".")[2], open)(packed, "wb") as file:
        file.write(plain.read_bytes())
    assert list(samples(str(packed))) == list(samples(str(plain)))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".tar.zst"])
def test_a_packed_shard_cut_short_is_named(tmp_path: Path, suffix: str):
    plain = write_shard(tmp_path / "plain.tar", {f"{i}": sample(i) for i in range(3)})
    pack = zstandard.compress if suffix == ".tar.zst" else gzip.compress
    (tmp_path / f"cut{suffix}").write_bytes(pack(plain.read_bytes())[:-40])
    *_, last = samples(str(tmp_path / f"cut{suffix}"))
    assert isinstance(last, Fault)
    assert f"cut{suffix}: breaks off" in last.message


def test_keys_end_at_the_first_dot_and_hidden_files_are_passed_over(tmp_path: Path):
    parts = {
        "a/photo.v2": {"txt": b"two", "JSON": b"{}"},
        "._a": {"txt": b"\0"},
        "a/._b": {"txt": b"\0"},
        "b/photo": {"txt": b"one"},
    }
    read = list(samples(str(write_shard(tmp_path / "s.tar", parts))))
    assert read == [("a/photo", {"v2.txt": b"two", "v2.json": b"{}"}), ("b/photo", {"txt": b"one"})]


def test_a_repeated_part_and_a_name_without_suffix_are_faults(tmp_path: Path):
    path = tmp_path / "s.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("a.txt", "a.TXT", "README", "b.txt"):
            tar.addfile(tarfile.TarInfo(name))
    read = list(samples(str(path)))
    assert [one for one in read if not isinstance(one, Fault)] == [("a", {"txt": b""}), ("b", {"txt": b""})]
    told = "\n".join(one.message for one in read if isinstance(one, Fault))
    assert "a.TXT: duplicate file name" in told
    assert "README has no suffix" in told


def test_a_folder_and_unbalanced_braces_are_told_in_a_line(tmp_path: Path):
    with pytest.raises(UserError, match="a folder, expected a tar file"):
        list(samples(str(tmp_path)))
    with pytest.raises(UserError, match="Unbalanced braces"):
        expand("a{0..1.tar")


def test_a_json_may_hold_several_captions(tmp_path: Path):
    parts = {"a": {"jpg": sample(0)["jpg"], "json": json.dumps({"caption": ["one", "two"]}).encode()}}
    source = str(write_shard(tmp_path / "s.tar", parts))
    assert captions(stored(CaptionFilesDataModule(source, source, images=IMAGES), tmp_path / "cache")) == ["one", "two"]


def test_remote_shards_are_streamed(tmp_path: Path):
    write_shards(tmp_path)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        read = list(samples(f"http://127.0.0.1:{server.server_port}/00001.tar"))
        server.shutdown()
    assert read == list(samples(str(tmp_path / "00001.tar")))
    assert [key for key, _ in read] == [f"{i:05d}" for i in range(6, 12)]


def test_a_caption_may_stand_in_the_json_alone(tmp_path: Path):
    parts = {key: {k: v for k, v in sample(i).items() if k != "txt"} for i, key in enumerate("abc")}
    source = str(write_shard(tmp_path / "s.tar", parts))
    data = stored(CaptionFilesDataModule(source, source, images=IMAGES), tmp_path / "cache")
    assert captions(data) == ["picture 0", "picture 1", "picture 2"]


def test_the_hash_splits_shards_by_key(tmp_path: Path):
    source = write_shards(tmp_path, shards=3, each=10)
    data = stored(CaptionFilesDataModule(source, images=IMAGES, held_out=0.3), tmp_path / "cache")
    assert data.stores["train"].num_timesteps + data.stores["val"].num_timesteps == 30


@pytest.mark.parametrize("blocks", [3, 10, 11, 12.5])
def test_a_shard_cut_short_is_read_up_to_there_and_named(tmp_path: Path, blocks: float):
    """Cut inside a file, inside a header, and between two samples."""
    path = write_shard(tmp_path / "s.tar", {f"{i}": {"txt": b"text %d" % i} for i in range(8)})
    path.write_bytes(path.read_bytes()[: int(blocks * 512)])
    *whole, last = list(samples(str(path)))
    assert isinstance(last, Fault)
    assert "s.tar: breaks off after" in last.message
    assert [key for key, _ in whole] == [str(i) for i in range(len(whole))]
    assert len(whole) < 8


FAULTS = {
    "no image": r"s\.tar/k3: no image; expected a part jpg",
    "no caption": r"s\.tar/k3: no caption; expected a part txt, or json",
    "a caption that is no text": r"s\.tar/k3: the caption is 7, expected a text",
    "an empty caption": r"s\.tar/k3: the caption is empty",
    "a caption that is not UTF-8": r"s\.tar/k3: the caption cannot be read",
    "a broken image": r"s\.tar/k3: cannot be decoded",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_sample_at_fault_is_named_and_left_out(tmp_path: Path, fault: str):
    parts = {f"k{i}": sample(i) for i in range(20)}
    match fault:
        case "no image":
            del parts["k3"]["jpg"]
        case "no caption":
            del parts["k3"]["txt"], parts["k3"]["json"]
        case "a caption that is no text":
            del parts["k3"]["txt"]
            parts["k3"]["json"] = b'{"caption": 7}'
        case "an empty caption":
            parts["k3"]["txt"] = b"\n"
        case "a caption that is not UTF-8":
            parts["k3"]["txt"] = b"caf\xe9"
        case "a broken image":
            parts["k3"]["jpg"] = parts["k3"]["jpg"][:100]
    source = str(write_shard(tmp_path / "s.tar", parts))
    with pytest.raises(UserError, match="1 of 20 train examples are faulty.*" + FAULTS[fault]):
        stored(CaptionFilesDataModule(source, source, images=IMAGES, max_faults=0.0), tmp_path / "cache")
    data = stored(CaptionFilesDataModule(source, source, images=IMAGES, max_faults=0.05), tmp_path / "cache")
    assert data.stores["train"].num_timesteps == 19
