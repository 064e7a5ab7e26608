"""Documents of interleaved text and images, from JSON Lines in the formats of M3W, OBELICS and MMC4."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from datamodules.base.faults import Fault
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.readers.coco import image_folder as checked_folder
from datamodules.readers.coco import inside
from datamodules.readers.files import find, fingerprint, json_lines
from datamodules.text.plain_text import split_text
from gato_lightning.common.settings import PositiveInt, ShareBelowOne, ShareBetween
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.lengths import check_length
from gato_lightning.tokens.patches import num_patches

_SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")
_RESERVED = 2  # tokens of a timestep besides its image and text: the separator and the end of text
_LEAST = 8  # minimum number of text tokens that must fit beside an image
_NO_IMAGE = np.zeros((0, 0, 3), np.uint8)

Part = tuple[str, str]


class InterleavedDataModule(TaskDataModule):
    """A task of documents: an episode is a document; a timestep shows an image or none; the action is the text up to the next.

    So text is predicted and images are not. Each line of a file is a document in one of three forms:

    - `{"parts": [{"text": "A cat."}, {"image": "cat.jpg"}, ...]}`, in order, as M3W;
    - `{"texts": ["A cat.", null, ...], "images": [null, "cat.jpg", ...]}`, side by side, as OBELICS;
    - `{"text_list": [...], "image_info": [{"image_name": "cat.jpg", "matched_text_index": 0}, ...]}`, each image before its
      text, as MMC4.

    Args:
        sources: files in JSON Lines (.jsonl, .jsonl.gz, .jsonl.zst), or folders of such files.
        image_folder: folder of the images; no name may lead out of it.
        images: how images are resized, and which are rejected.
        held_out: share of the documents that is never trained on, chosen by a hash of their content, in (0, 1).
        max_faults: share of the documents that may be faulty, in [0, 1); they are left out and listed. A larger share ends
            the run.
        timesteps: maximum number of timesteps in a training window, 1 or more; None: as many as fit.
    """

    domain = "interleaved"

    def __init__(
        self,
        sources: Sequence[str],
        image_folder: str,
        images: ImageSettings = ImageSettings(),
        held_out: ShareBetween = 0.1,
        max_faults: ShareBelowOne = 0.01,
        timesteps: PositiveInt | None = None,
    ) -> None:
        super().__init__(timesteps=timesteps)
        self.sources, self.image_folder, self.images = tuple(sources), image_folder, images
        self.held_out, self.max_faults = held_out, max_faults
        self.observation_space = spaces.Dict({"image": AnyImage()})
        self.action_space = spaces.Text(max_length=1_000_000)

    def settings(self) -> dict[str, Any]:
        """Returns the arguments, the fingerprints of the files, and the context length, which every timestep must fit."""
        files = [fingerprint(path) for path in self._files()]
        return {**super().settings(), "files": files, "context_length": self.context_length}

    def jobs(self, split: Split) -> list[Job]:
        """Returns one job per file, which reads the split's documents."""
        folder = checked_folder(self.image_folder)
        return [partial(self._episodes, split, path, folder) for path in self._files()]

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        """Returns the number of documents."""
        return len(episodes)

    def _files(self) -> list[Path]:
        return [path for source in self.sources for path in find(source, _SUFFIXES)]

    def _episodes(self, split: Split, path: Path, folder: Path) -> Iterator[Episode | Fault]:
        for line in json_lines(path):
            if isinstance(line, Fault):
                yield line
                continue
            place, row = line
            try:
                parts = document_parts(row)
                if is_held_out(json.dumps(parts), self.held_out) == (split == "val"):
                    yield self._episode(parts, folder)
            except UserError as error:
                yield Fault(f"{place}: {error}")

    def _episode(self, parts: Sequence[Part], folder: Path) -> Episode:
        """Returns a document as an episode; a text too long for one timestep continues in timesteps without an image.

        Raises:
            UserError: if an image cannot be used.
        """
        images: list[np.ndarray] = []
        texts: list[str] = []
        for name, text in _by_image(parts):
            image = self.images.read(inside(folder, name), name) if name else _NO_IMAGE
            observed = num_patches(image)
            check_length(observed, observed + _RESERVED + _LEAST, self.context_length)
            pieces = list(split_text(text, self.text_tokenizer, self.context_length - observed - _RESERVED)) or [""]
            images += [image, *[_NO_IMAGE] * (len(pieces) - 1)]
            texts += pieces
        return Episode({"image": images}, texts, np.zeros(len(texts), np.float32), source="documents")


def document_parts(row: Mapping[str, Any]) -> list[Part]:
    """Returns the parts of a document in order: ("text", the text) or ("image", the image's name).

    Raises:
        UserError: if it has none of the three forms, or no text.
    """
    if isinstance(row.get("parts"), list):
        parts = [part for one in row["parts"] for part in _part(one)]
    elif isinstance(row.get("texts"), list) and isinstance(row.get("images"), list):
        sides = {"text": row["texts"], "image": row["images"]}
        if len(row["texts"]) != len(row["images"]):
            raise UserError("expected 'texts' and 'images' of the same length")
        parts = [part for pair in zip(*sides.values(), strict=True) for part in _part(dict(zip(sides, pair, strict=True)))]
    elif isinstance(row.get("text_list"), list) and isinstance(row.get("image_info"), list):
        shown: dict[Any, list[Part]] = {}
        for one in row["image_info"]:
            if not isinstance(one, dict) or one.get("matched_text_index") not in range(len(row["text_list"])):
                raise UserError("expected 'matched_text_index' of every image to be the number of a text")
            shown.setdefault(one["matched_text_index"], []).extend(_part({"image": one.get("image_name")}))
        parts = [part for n, text in enumerate(row["text_list"]) for part in (*shown.get(n, []), *_part({"text": text}))]
    else:
        raise UserError("expected 'parts', 'texts' and 'images', or 'text_list' and 'image_info'")
    if not any(kind == "text" for kind, _ in parts):
        raise UserError("the document has no text")
    return parts


def _part(one: Any) -> list[Part]:
    """What an object holds under "text" or "image"; nothing under both is a place that the other list fills."""
    if not isinstance(one, dict):
        raise UserError(f"expected an object with 'text' or 'image', not {one!r}")
    held = [(kind, one[kind]) for kind in ("text", "image") if one.get(kind) is not None]
    for kind, value in held:
        if not isinstance(value, str):
            raise UserError(f"expected a text under '{kind}', not {value!r}")
    return [(kind, value.strip()) for kind, value in held if value.strip()]


def _by_image(parts: Sequence[Part]) -> list[tuple[str, str]]:
    """Each image ("" for none before the first text) with the text up to the next one."""
    found: list[tuple[str, list[str]]] = []
    for kind, value in parts:
        if kind == "image" or not found:
            found.append((value if kind == "image" else "", []))
        if kind == "text":
            found[-1][1].append(value)
    return [(image, "\n\n".join(texts)) for image, texts in found]
