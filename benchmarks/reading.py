"""Reading: photographs, prose, and shards of both become tokens; beside torchvision and `datasets`, on one thread.

| work | from | to |
|---|---|---|
| images | JPEG files of 500x400 pixels, some 100 kB each | 16x16 patches of the middle, 224 or 64 pixels square |
| text | pieces of at most 256 tokens, or whole documents | token ids, of documents in such pieces |
| shards | tar files of jpg, txt and json, as img2dataset writes them | patches of every image, token ids of its caption |

All sides do this work, hold all results in memory at the end, and meet every text for the first time: our tokenizer is made to
forget. Where they differ: at 64 pixels ours has libjpeg decode at half the size, for which torchvision does not ask. Ours cuts
documents between words, the peers between any two tokens. Of documents and shards ours makes episodes, for which it looks for
faults, checks that a timestep fits, and keeps each distinct patch once; the peers stop at patches and ids.
"""

import io
import json
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import torch
from PIL import Image
from sentencepiece import SentencePieceProcessor
from torch import Tensor
from torchvision.datasets.folder import default_loader
from torchvision.io import ImageReadMode, decode_image, read_file
from torchvision.transforms.v2 import functional as transforms

from benchmarks import work
from benchmarks.harness import Row, rows
from datamodules.base.faults import Fault
from datamodules.base.splits import is_held_out
from datamodules.base.task import TaskDataModule
from datamodules.readers.documents import TOPICS, read
from datamodules.text.plain_text import TextDataModule, split_text
from datamodules.vision.caption_files import CaptionFilesDataModule
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.patches import PATCH, to_patches
from gato_lightning.tokens.text import TextTokenizer, default_model_path
from gato_lightning.tokens.vocabulary import Vocabulary

WIDTH, HEIGHT = 500, 400  # of 224 or 64 rows it has a whole number of columns, so that no side stretches the picture
SQUARES = (224, 64)  # pixels on a side
PIECE, CONTEXT = 256, 1024  # tokens
Sides = dict[str, Callable[[], Any]]


def photograph(seed: int) -> bytes:
    """A JPEG of smooth noise whose finer detail has less contrast, as in photographs."""
    rng, total = np.random.default_rng(seed), np.full((HEIGHT, WIDTH, 3), 128, np.float32)
    for side in (4, 8, 16, 32, 64, 128, 256, 512):
        grey, colours = rng.standard_normal((side, side, 1)), 0.3 * rng.standard_normal((side, side, 3))
        octave = (120 * side**-0.5 * (grey + colours)).astype(np.float32)
        for i in range(3):
            total[..., i] += np.asarray(Image.fromarray(octave[..., i]).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    buffer = io.BytesIO()
    Image.fromarray(total.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def write_images(folder: Path, count: int) -> list[Path]:
    """Files of photographs."""
    paths = [folder / f"{i:05d}.jpg" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(photograph(i))
    return paths


def write_shards(folder: Path, images: Sequence[Path], captions: Sequence[str], count: int = 2) -> list[str]:
    """Shards of the images, each with its caption."""
    shards, samples = [str(folder / f"{n:05d}.tar") for n in range(count)], list(zip(images, captions, strict=True))
    for n, shard in enumerate(shards):
        with tarfile.open(shard, "w") as tar:
            for image, caption in samples[n::count]:
                about = {"key": image.stem, "caption": caption, "status": "success", "width": WIDTH, "height": HEIGHT}
                parts = {"jpg": image.read_bytes(), "txt": caption.encode(), "json": json.dumps(about).encode()}
                for ending, content in parts.items():
                    member = tarfile.TarInfo(f"{image.stem}.{ending}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
    return shards


def our_patches(paths: Iterable[Path], square: int) -> list[np.ndarray]:
    """Of every image, (P, 16, 16, 3) uint8."""
    settings = ImageSettings(height=square, width=square)
    return [to_patches(settings.read(path, path.name)[None])[0] for path in paths]


def their_patches(load: Callable[[Any], Any], files: Iterable[Any], square: int) -> list[Tensor]:
    """The same, of images that torchvision loads: (3, H, W) uint8, or Pillow's."""
    patches = []
    for file in files:
        middle = transforms.center_crop(transforms.resize(load(file), [square]), [square, square])
        pixels = middle if isinstance(middle, Tensor) else transforms.pil_to_tensor(middle)
        grid = pixels.unfold(1, PATCH, PATCH).unfold(2, PATCH, PATCH)  # (3, rows, columns, 16, 16)
        patches.append(grid.permute(1, 2, 3, 4, 0).reshape(-1, PATCH, PATCH, 3))
    return patches


def decoded(file: Path | bytes) -> Tensor:
    """An image (3, H, W) uint8 by torchvision's own decoder."""
    held = read_file(str(file)) if isinstance(file, Path) else torch.frombuffer(bytearray(file), dtype=torch.uint8)
    return decode_image(held, ImageReadMode.RGB)


def our_ids(tokenizer: TextTokenizer, texts: Iterable[str]) -> list[list[int]]:
    """The ids of every text."""
    ids = [tokenizer.encode(text) for text in texts]
    tokenizer._recurring.cache_clear()
    return ids


def their_ids(batch: Mapping[str, list[str]], most: int | None) -> dict[str, list[list[int]]]:
    """The same, for `map` of `datasets`; in blocks of at most so many."""
    ids = processor().encode(batch["text"], num_threads=1)
    return {"ids": ids if most is None else [text[i : i + most] for text in ids for i in range(0, len(text), most)]}


@cache
def processor() -> SentencePieceProcessor:
    """The model of our tokenizer, without it."""
    return SentencePieceProcessor(model_file=str(default_model_path()))


def our_episodes(task: TaskDataModule) -> list[TokenEpisode]:
    """The training part of a task, read and made tokens as a stream's parts are."""
    found = [one for job in task.jobs("train") for one in job()]
    episodes = [task.tokenise(one) for one in found if not isinstance(one, Fault)]
    task.text_tokenizer._recurring.cache_clear()
    return episodes


def their_examples(stream: Iterable[Mapping[str, Any]], square: int) -> list[tuple[Tensor, list[int]]]:
    """The patches of every image in shards, and the ids of its caption with the one that ends it."""
    examples = []
    for row in stream:
        image = row["jpg"]
        load, file = (decoded, image["bytes"]) if isinstance(image, dict) else (Image.Image.convert, image)
        examples.append((their_patches(load, [file], square)[0], processor().encode(row["txt"], add_eos=True)))
    return examples


def open_shards(shards: Sequence[str], as_bytes: bool, folder: Path) -> datasets.IterableDataset:
    """Shards as `datasets` streams them, images as Pillow's or as bytes."""
    files = {"train": list(shards)}
    stream = datasets.load_dataset("webdataset", data_files=files, split="train", streaming=True, cache_dir=str(folder))
    return stream.cast_column("jpg", datasets.Image(decode=not as_bytes))


def connect(task: TaskDataModule, folder: Path) -> None:
    """Hands a task the tokenizer that ships."""
    task.connect("made up", Vocabulary(), work.text_tokenizer(), CONTEXT, folder)


def image_sides(paths: Sequence[Path], square: int) -> Sides:
    """Image files to patches."""
    return {
        "ours": partial(our_patches, paths, square),
        "torchvision, its folders' loader (Pillow)": partial(their_patches, default_loader, paths, square),
        "torchvision, its decoder": partial(their_patches, decoded, paths, square),
    }


def text_sides(ours: Callable[[], Any], texts: Sequence[str], most: int | None) -> Sides:
    """Texts to ids; the peer's as a table in memory, and as a list."""
    table = datasets.Dataset.from_dict({"text": texts})
    options: dict[str, Any] = {"batched": True, "remove_columns": ["text"], "fn_kwargs": {"most": most}}
    stream = table.to_iterable_dataset().map(their_ids, **options)
    return {
        "ours": ours,
        "datasets, map": partial(table.map, their_ids, keep_in_memory=True, load_from_cache_file=False, **options),
        "datasets, map of a stream": lambda: [row["ids"] for row in stream],
    }


def shard_sides(shards: Sequence[str], square: int, folder: Path) -> Sides:
    """Shards, all that are in a folder, to patches and ids."""
    source = str(folder / "*.tar")
    task = CaptionFilesDataModule(source, source, images=ImageSettings(height=square, width=square))
    connect(task, folder)
    return {
        "ours": partial(our_episodes, task),
        "datasets, torchvision (Pillow)": partial(their_examples, open_shards(shards, False, folder), square),
        "datasets, torchvision, its decoder": partial(their_examples, open_shards(shards, True, folder), square),
    }


def tables(source: str, count: int, seconds: float) -> Iterator[list[Row]]:
    """All measurements, of prose from a source and of so many images."""

    def measured(what: str, title: str, sides: Sides, amount: int, size: int) -> list[Row]:
        found = rows(f"Reading, {what}", title, sides, amount, seconds, time.process_time)
        for row in found:
            row.extra["MB/s"] = f"{size / row.median / 1e6:.1f}"
        return found

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        images = write_images(folder, count)
        size = sum(path.stat().st_size for path in images)
        for square in SQUARES:
            yield measured("images", f"to {square}x{square}", image_sides(images, square), count, size)

        task = TextDataModule((source,), piece_tokens=PIECE)
        connect(task, folder)
        documents = [one.text for one in read((source,))[0] if not is_held_out(one.name, task.held_out)]
        pieces = [piece for document in documents for piece in split_text(document, task.text_tokenizer, PIECE)]
        encode = partial(our_ids, task.text_tokenizer, pieces)
        tokens, size = sum(map(len, encode())), sum(len(text.encode()) for text in documents)
        yield measured("tokens of text", "pieces", text_sides(encode, pieces, None), tokens, size)
        sides = text_sides(partial(our_episodes, task), documents, PIECE)
        yield measured("tokens of text", "documents, cut and encoded", sides, tokens, size)

        shards = write_shards(folder, images, [" ".join(piece.split()[:12]) for piece in pieces[:count]])
        for square in SQUARES:
            sides, size = shard_sides(shards, square, folder), sum(Path(shard).stat().st_size for shard in shards)
            yield measured("images of shards", f"to {square}x{square}", sides, count, size)


def run(full: bool) -> list[Row]:
    """Images and shards at both sizes, texts as pieces and as documents."""
    torch.set_num_threads(1)
    datasets.disable_progress_bars()
    return [row for table in tables(TOPICS, 64 if full else 16, 2.0 if full else 0.5) for row in table]
