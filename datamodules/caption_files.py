"""Captioning: images and captions from files."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from datamodules import coco
from datamodules.base import Job, Split, TaskDataModule
from datamodules.faults import Fault
from datamodules.files import fingerprint
from datamodules.held_out import held_out_task
from datamodules.image_texts import ImageText, Reader
from datamodules.pairs import check_faults_allowed, check_fraction, check_least, grouped
from datamodules.splits import is_held_out
from gato_lightning.episode import Episode, Example
from gato_lightning.errors import UserError
from gato_lightning.image_files import ImageSettings
from gato_lightning.patches import num_patches
from gato_lightning.tasks import GenerationTask

_IMAGES_PER_JOB = 256

Pair = tuple[np.ndarray, str, Example | None]


class CaptionFilesDataModule(TaskDataModule):
    """Each timestep shows an image; the action is one of its captions.

    Args:
        train: a COCO captions file.
        val: the same for the held-out part; None: the share `held_out` of `train`.
        image_folder: of COCO's images; no name in `train` or `val` may lead out of it.
        images: how images are resized, and what is refused.
        held_out: share of the images that is held out where there is no `val`, in (0, 1).
        pairs_per_episode: pairs in one episode, one a timestep, of different images; 5 in the paper (Gato, section 3.2).
        max_faults: share of the captions that may be faulty, in [0, 1); they are left out and listed, more end the run.
        timesteps: most timesteps of a training window; None for as many as fit.
        seed: decides which images share an episode, not the split.
    """

    domain = "captions"

    def __init__(
        self,
        train: str,
        val: str | None = None,
        image_folder: str = ".",
        images: ImageSettings = ImageSettings(),
        held_out: float = 0.1,
        pairs_per_episode: int = 1,
        max_faults: float = 0.01,
        timesteps: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        self.sources: dict[Split, str] = {"train": train, "val": val or train}
        self.image_folder, self.images = image_folder, images
        self.split_by_hash = val is None
        self.held_out = check_fraction("held_out", held_out)
        self.pairs_per_episode = check_least("pairs_per_episode", pairs_per_episode, 1)
        self.max_faults = check_faults_allowed(max_faults)
        self.observation_space = spaces.Dict({"image": images.space()})
        self.action_space = spaces.Text(max_length=10_000)

    def settings(self) -> dict[str, Any]:
        """The arguments, what changes when a source does, and the context that every pair must fit."""
        files = [fingerprint(Path(source)) for source in self.sources.values()]
        return {**super().settings(), "files": files, "context_length": self.context_length}

    def jobs(self, split: Split) -> list[Job]:
        """Decodes the images of one side of the split."""
        return [partial(self._episodes, split, reader) for reader in self._readers(split)]

    def generation(self) -> GenerationTask:
        """Every held-out image; its references are all of its captions. After `setup`."""
        return held_out_task(self.stores["val"], "caption", self.observation_space, self.text_tokenizer)

    def _readers(self, split: Split) -> list[Reader]:
        found, faults = coco.captions(Path(self.sources[split]), coco.image_folder(self.image_folder))
        order = np.random.default_rng(self.seed).permutation(len(found))
        parts: list[list[ImageText | Fault]] = [list(part) for part in grouped([found[i] for i in order], _IMAGES_PER_JOB)]
        return [partial(iter, part) for part in [list(faults), *parts]]

    def _episodes(self, split: Split, reader: Reader) -> Iterator[Episode | Fault]:
        items = iter(reader())
        while block := list(islice(items, _IMAGES_PER_JOB)):
            faults, pairs = self._read(split, block)
            yield from faults
            for group in grouped(pairs, self.pairs_per_episode):
                yield Episode(
                    observations={"image": np.stack([image for image, _, _ in group])},
                    actions=[caption for _, caption, _ in group],
                    rewards=np.zeros(len(group), np.float32),
                    source="files",
                    examples={n: example for n, (_, _, example) in enumerate(group) if example},
                )

    def _read(self, split: Split, block: Sequence[ImageText | Fault]) -> tuple[list[Fault], list[Pair]]:
        """Decodes images; neighbours among the pairs are of different images, as far as there are any."""
        faults: list[Fault] = []
        rounds: dict[int, list[Pair]] = defaultdict(list)
        for item in block:
            if isinstance(item, Fault):
                faults.append(item)
                continue
            if self.split_by_hash and is_held_out(item.key, self.held_out) != (split == "val"):
                continue
            try:
                image = self.images.read(item.image, item.name)
            except UserError as error:
                faults.append(Fault(str(error), len(item.texts)))
                continue
            example = Example(item.texts) if split == "val" else None
            for number, caption in enumerate(item.texts):
                try:
                    observed = num_patches(image)
                    self.check_length(observed, observed + len(self.text_tokenizer.encode(caption)) + 2)
                except UserError as error:
                    faults.append(Fault(f"image {item.name}, caption {number}: {error}"))
                    continue
                rounds[number].append((image, caption, example))
                example = None  # written for once, whatever the number of captions
        return faults, [pair for number in sorted(rounds) for pair in rounds[number]]
