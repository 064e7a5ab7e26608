"""The commands that write text with a trained model, or train a tokenizer.

```
python run.py caption photo.jpg other.png --temperature 0.9
python run.py answer photo.jpg "what color is the dog?"
python run.py chat
python run.py tokenizer my_texts --output my.model
```
Without `--ckpt_path` they take the newest checkpoint below `logs`.
"""

import contextlib
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch

from gato_lightning.acting.chat import Chat
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Picture, Writer
from gato_lightning.common.settings import PositiveInt, Seed, check_settings
from gato_lightning.errors import UserError
from gato_lightning.model.precision import arithmetic
from gato_lightning.model.pretrained import WEIGHTS, find
from gato_lightning.tokens.tokenizer_training import train_tokenizer
from gato_lightning.tokens.vocabulary import NUM_TEXT

LOGS = Path("logs")


def caption(
    images: list[str],
    ckpt_path: str | None = None,
    pretrained: str | None = None,
    tokenizer_path: str | None = None,
    task: str | None = None,
    seed: Seed = 0,
    **decoding: Any,
) -> None:
    """Writes a caption for each image.

    Args:
        images: image files.
        ckpt_path: the checkpoint; by default the newest below logs.
        pretrained: a pretrained model in place of a checkpoint: a shipped name, such as gato-small, or a folder.
        tokenizer_path: by default the text tokenizer that it was trained with.
        task: the task whose way of resizing images is used.
        seed: of what is drawn; 0 or more.
        decoding: as of `DecodingSettings`.
    """
    settings = DecodingSettings(**decoding)
    writer, generator = _load(ckpt_path, pretrained, tokenizer_path, seed)
    with _arithmetic(writer):
        texts = writer.caption(images, settings, task, generator)
    for image, text in zip(images, texts, strict=True):
        print(f"{image}: {text}" if len(images) > 1 else text)


def answer(
    image: str,
    question: str,
    ckpt_path: str | None = None,
    pretrained: str | None = None,
    tokenizer_path: str | None = None,
    task: str | None = None,
    seed: Seed = 0,
    **decoding: Any,
) -> None:
    """Answers a question about an image.

    Args:
        image: an image file.
        question: what to answer.
        ckpt_path: the checkpoint; by default the newest below logs.
        pretrained: a pretrained model in place of a checkpoint: a shipped name, such as gato-small, or a folder.
        tokenizer_path: by default the text tokenizer that it was trained with.
        task: the task whose way of resizing images is used.
        seed: of what is drawn; 0 or more.
        decoding: as of `DecodingSettings`.
    """
    settings = DecodingSettings(**decoding)
    writer, generator = _load(ckpt_path, pretrained, tokenizer_path, seed)
    with _arithmetic(writer):
        print(writer.answer([image], [question], settings, task, generator)[0])


def chat(
    ckpt_path: str | None = None,
    pretrained: str | None = None,
    tokenizer_path: str | None = None,
    seed: Seed = 0,
    **decoding: Any,
) -> None:
    """Talks with the model, line by line from standard input: `/image FILE` shows it a picture, `/quit` ends.

    Args:
        ckpt_path: the checkpoint; by default the newest below logs.
        pretrained: a pretrained model in place of a checkpoint: a shipped name, such as gato-small, or a folder.
        tokenizer_path: by default the text tokenizer that it was trained with.
        seed: of what is drawn; 0 or more.
        decoding: as of `DecodingSettings`.
    """
    settings = DecodingSettings(**decoding)
    writer, generator = _load(ckpt_path, pretrained, tokenizer_path, seed)
    talk, images = Chat(writer, settings, generator), list[Picture]()
    prompt = "> " if sys.stdin.isatty() else ""
    with contextlib.suppress(EOFError, KeyboardInterrupt), _arithmetic(writer):
        while (line := input(prompt).strip()) != "/quit":
            if line.startswith("/image "):
                images.append(line.removeprefix("/image ").strip())
            elif line:
                try:
                    for piece in talk.say(line, images):
                        print(piece, end="", flush=True)
                    print()
                except UserError as error:  # a wrong file name ends no dialogue
                    print(f"error: {error}", file=sys.stderr)
                images = []


def tokenizer(texts: list[str], vocab_size: PositiveInt = NUM_TEXT, output: str = "tokenizer.model") -> None:
    """Trains a SentencePiece model.

    Args:
        texts: text files, and folders of .txt files.
        vocab_size: pieces, 1 or more; the model has room for 32000.
        output: the file to write; use it as data.tokenizer_path.
    """
    train_tokenizer([Path(path) for path in texts], Path(output), vocab_size)
    print(f"tokenizer written to {output}; use it by --data.tokenizer_path {output}")


def _load(
    ckpt_path: str | None, pretrained: str | None, tokenizer_path: str | None, seed: Seed
) -> tuple[Writer, torch.Generator]:
    """The model of a checkpoint, on a GPU where there is one, and the randomness of what it writes."""
    check_settings(locals(), _load)
    if ckpt_path and pretrained:
        raise UserError("--ckpt_path and --pretrained: expected one of them")
    chosen = find(pretrained) / WEIGHTS if pretrained else Path(ckpt_path) if ckpt_path else _newest_checkpoint()
    writer = Writer.from_checkpoint(chosen, tokenizer_path)
    writer.model.to("cuda" if torch.cuda.is_available() else "cpu")
    return writer, torch.Generator().manual_seed(seed)


def _arithmetic(writer: Writer) -> AbstractContextManager[Any]:
    return arithmetic(writer.model.embedding.table.weight.device.type)


def _newest_checkpoint() -> Path:
    found = sorted(LOGS.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"no checkpoint below {LOGS}; train one with `python run.py fit`, or give --ckpt_path")
    print(f"note: {found[-1]}", file=sys.stderr)
    return found[-1]
