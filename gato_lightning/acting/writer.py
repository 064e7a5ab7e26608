"""Captions, answers and continuations by a model that is trained: what the Python API and the command line share."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from gymnasium import spaces
from PIL import Image

from gato_lightning.acting.generation import generate_text
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.errors import UserError, unknown
from gato_lightning.model.checkpoint import MARK, check_tokenizer, load_checkpoint, load_model
from gato_lightning.model.gato import Gato
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer

Picture = str | Path | bytes | np.ndarray  # a file, what is in it, or uint8 (H, W, 3)


class Writer:
    """Writes text about pictures and after text, in the form of the tasks that the model was trained on.

    Args:
        model: in evaluation mode.
        text: the text tokenizer that it was trained with.
        images: how the images of each of its tasks are resized; the name of the task, its domain, its settings.
    """

    def __init__(self, model: Gato, text: TextTokenizer, images: Mapping[str, tuple[str, ImageSettings]]) -> None:
        self.model, self.text, self.images = model, text, images

    @classmethod
    def from_checkpoint(cls, path: str | Path, tokenizer_path: str | None = None) -> Self:
        """Writes with the model of a checkpoint, on the CPU.

        Args:
            path: the checkpoint.
            tokenizer_path: its text tokenizer, where that is no longer where it was when the model was trained.

        Raises:
            UserError: no checkpoint of this project, or a text tokenizer that it was not trained with.
        """
        checkpoint = load_checkpoint(path)
        stored = checkpoint[MARK]
        text = TextTokenizer(tokenizer_path or stored.get("tokenizer_path"))
        check_tokenizer(stored, text)
        model = load_model(checkpoint)
        images = {name: (domain, ImageSettings(**how)) for name, (domain, how) in stored.get("images", {}).items()}
        return cls(model, text, images)

    def caption(
        self,
        images: Sequence[Picture],
        settings: DecodingSettings = DecodingSettings(),
        task: str | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """A caption for each image.

        Args:
            images: of any size; resized as those of the task were.
            settings: how the captions are written.
            task: the task of the model whose resizing is used; None: its first captioning task.
            generator: of the randomness, on the CPU.
        """
        pictures = self.read(images, "captions", task)
        return self._write([{"image": picture} for picture in pictures], {"image": AnyImage()}, settings, generator)

    def answer(
        self,
        images: Sequence[Picture],
        questions: Sequence[str],
        settings: DecodingSettings = DecodingSettings(),
        task: str | None = None,
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """An answer to each question about the image beside it; the other arguments as of `caption`.

        Raises:
            UserError: not as many images as questions.
        """
        if len(images) != len(questions):
            raise UserError(f"{len(images)} images and {len(questions)} questions; expected one image a question")
        pictures = self.read(images, "vqa", task)
        asked = [{"image": one, "question": question} for one, question in zip(pictures, questions, strict=True)]
        return self._write(asked, {"image": AnyImage(), "question": spaces.Text(10_000)}, settings, generator)

    def generate(
        self,
        openings: Sequence[str],
        settings: DecodingSettings = DecodingSettings(),
        generator: torch.Generator | None = None,
    ) -> list[str]:
        """How each text goes on, without its opening."""
        return self._write([{}] * len(openings), {}, settings, generator, openings)

    def read(self, images: Sequence[Picture], domain: str, task: str | None = None) -> list[np.ndarray]:
        """Images as the model saw those of a task: of the one named, else the first of the domain, else the first with images.

        Raises:
            UserError: an image that cannot be read, a name that is no task with images, or no such task at all.
        """
        if task is not None and task not in self.images:
            raise unknown("task with images", task, self.images)
        if not self.images:
            raise UserError("this model was trained on no task with images")
        named = task or next((name for name, (found, _) in self.images.items() if found == domain), next(iter(self.images)))
        settings = self.images[named][1]
        return [settings.read(*_file(image, number)) for number, image in enumerate(images)]

    def tokenizer(self, observation: Mapping[str, spaces.Space]) -> TimestepTokenizer:
        """The tokenizer of timesteps that show this and act in text."""
        vocabulary = self.model.config.vocabulary
        return TimestepTokenizer(spaces.Dict(dict(observation)), spaces.Text(1_000_000), vocabulary, self.text)

    @torch.no_grad()
    def _write(
        self,
        observations: Sequence[Any],
        space: Mapping[str, spaces.Space],
        settings: DecodingSettings,
        generator: torch.Generator | None,
        openings: Sequence[str] | None = None,
    ) -> list[str]:
        if not observations:
            return []
        return generate_text(self.model, self.tokenizer(space), observations, settings, generator, openings)


def _file(image: Picture, number: int) -> tuple[Path | bytes, str]:
    """The file or its bytes, and a name for messages."""
    if isinstance(image, str | Path):
        return Path(image), str(image)
    if isinstance(image, bytes):
        return image, f"number {number}"
    packed = io.BytesIO()
    Image.fromarray(image).save(packed, "PNG")
    return packed.getvalue(), f"number {number}"
