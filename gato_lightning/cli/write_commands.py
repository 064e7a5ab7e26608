"""The commands that write text with a trained model, or train a tokenizer.

```
python run.py caption photo.jpg other.png --temperature 0.9
python run.py answer photo.jpg "what color is the dog?"
python run.py chat
python run.py tokenizer train --input my_texts --output my.model
```
Without `--ckpt_path` they take the newest checkpoint below `logs`.
"""

import contextlib
import sys
from argparse import ArgumentError
from dataclasses import fields
from pathlib import Path

import torch
from jsonargparse import ArgumentParser, Namespace

from gato_lightning.acting.chat import Chat
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Picture
from gato_lightning.errors import UserError
from gato_lightning.model.precision import arithmetic
from gato_lightning.tokens.tokenizer_training import train_tokenizer
from gato_lightning.training.module import GatoModule

LOGS = Path("logs")


def caption(args: list[str]) -> None:
    """Writes a caption for each image."""
    parser = _parser("caption", "Writes a caption for each image.")
    parser.add_argument("images", nargs="+", metavar="IMAGE", help="Image files.")
    given = _parse(parser, args)
    model, settings, generator = _load(given)
    with arithmetic(model.device.type):
        texts = model.caption(given.images, settings, given.task, generator)
    for image, text in zip(given.images, texts, strict=True):
        print(f"{image}: {text}" if len(given.images) > 1 else text)


def answer(args: list[str]) -> None:
    """Answers a question about an image."""
    parser = _parser("answer", "Answers a question about an image.")
    parser.add_argument("image", metavar="IMAGE", help="An image file.")
    parser.add_argument("question", metavar="QUESTION", help="What to answer.")
    given = _parse(parser, args)
    model, settings, generator = _load(given)
    with arithmetic(model.device.type):
        print(model.answer([given.image], [given.question], settings, given.task, generator)[0])


def chat(args: list[str]) -> None:
    """Talks with the model, line by line from standard input, until it ends or `/quit`."""
    given = _parse(_parser("chat", "Talks with the model; /image FILE shows it a picture, /quit ends."), args)
    model, settings, generator = _load(given)
    talk, images = Chat(model.writer, settings, generator), list[Picture]()
    prompt = "> " if sys.stdin.isatty() else ""
    with contextlib.suppress(EOFError, KeyboardInterrupt), arithmetic(model.device.type):
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


def tokenizer(args: list[str]) -> None:
    """Trains a SentencePiece model."""
    if args[:1] != ["train"]:
        raise UserError(f"tokenizer {' '.join(args[:1])}: expected 'tokenizer train'")
    parser = ArgumentParser(prog="run.py tokenizer train", description=train_tokenizer.__doc__, exit_on_error=False)
    parser.add_argument("--input", nargs="+", required=True, metavar="PATH", help="Text files, and folders of .txt files.")
    parser.add_argument("--vocab_size", type=int, default=32000, help="Pieces; the model has room for 32000.")
    parser.add_argument("--output", default="tokenizer.model", help="The file to write; use it as data.tokenizer_path.")
    given = _parse(parser, args[1:])
    train_tokenizer([Path(path) for path in given.input], Path(given.output), given.vocab_size)
    print(f"tokenizer written to {given.output}; use it by --data.tokenizer_path {given.output}")


def _parser(name: str, description: str) -> ArgumentParser:
    """A parser of what the writing commands share."""
    parser = ArgumentParser(prog=f"run.py {name}", description=description, exit_on_error=False)
    parser.add_argument("--ckpt_path", type=str | None, default=None, help="The checkpoint; by default the newest below logs.")
    parser.add_argument("--tokenizer_path", type=str | None, default=None, help="By default the one it was trained with.")
    parser.add_argument("--task", type=str | None, default=None, help="The task whose way of resizing images is used.")
    parser.add_argument("--seed", type=int, default=0, help="Of what is drawn.")
    parser.add_class_arguments(DecodingSettings, None)
    return parser


def _parse(parser: ArgumentParser, args: list[str]) -> Namespace:
    try:
        return parser.parse_args(args)
    except ArgumentError as error:
        raise UserError(str(error)) from error


def _load(given: Namespace) -> tuple[GatoModule, DecodingSettings, torch.Generator]:
    settings = DecodingSettings(**{field.name: given[field.name] for field in fields(DecodingSettings)})
    path = Path(given.ckpt_path) if given.ckpt_path else _newest_checkpoint()
    model = GatoModule.from_checkpoint(path, given.tokenizer_path)
    model.to("cuda" if torch.cuda.is_available() else "cpu")
    return model, settings, torch.Generator().manual_seed(given.seed)


def _newest_checkpoint() -> Path:
    found = sorted(LOGS.rglob("*.ckpt"), key=lambda path: path.stat().st_mtime)
    if not found:
        raise UserError(f"no checkpoint below {LOGS}; train one with `python run.py fit`, or give --ckpt_path")
    print(f"note: {found[-1]}", file=sys.stderr)
    return found[-1]
