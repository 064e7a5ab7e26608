"""The base of tasks from image to text: captions, and answers to questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
from gymnasium import spaces

from datamodules.base.faults import Fault
from datamodules.base.pairs import grouped
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.readers.image_texts import ImageText, Pair, Reader
from gato_lightning.common.settings import PositiveInt, Seed, ShareBelowOne, ShareBetween
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import Episode, stack
from gato_lightning.tokens.image_files import ImageSettings
from gato_lightning.tokens.lengths import check_length
from gato_lightning.tokens.patches import num_patches

_IMAGES_AT_ONCE = 256


class ImagePairsDataModule(TaskDataModule):
    """A task in which each timestep shows an image and possibly a question; the action is a text.

    Args:
        images: how images are resized, and which are rejected.
        held_out: share of the images that is held out if there is no separate source for the held-out split, in (0, 1).
        pairs_per_episode: number of pairs in an episode, one per timestep, of different images, 1 or more; 5 in the paper
            (section 3.2).
        max_faults: share of the pairs that may be faulty, in [0, 1); they are left out and listed. A larger share ends the run.
        sequences_per_part: streams the training split: number of sequences, 1 or more, that a DataLoader worker draws from one
            part (a shard, or a few hundred images of an annotation file) before it reads the next; None: all episodes are
            stored before training.
        timesteps: maximum number of timesteps in a training window, 1 or more; None: as many as fit.
        seed: seed of the choice of images that share an episode, not of the split; 0 or more.
    """

    asks = False  # whether there are questions
    split_by_hash = False  # whether both splits come from one source

    def __init__(
        self,
        images: ImageSettings = ImageSettings(),
        held_out: ShareBetween = 0.1,
        pairs_per_episode: PositiveInt = 1,
        max_faults: ShareBelowOne = 0.01,
        sequences_per_part: PositiveInt | None = None,
        timesteps: PositiveInt | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        self.images = images
        self.held_out, self.pairs_per_episode, self.max_faults = held_out, pairs_per_episode, max_faults
        self.sequences_per_part = sequences_per_part
        question = {"question": spaces.Text(max_length=10_000)} if self.asks else {}
        self.observation_space = spaces.Dict({"image": images.space(), **question})
        self.action_space = spaces.Text(max_length=10_000)

    def readers(self, split: Split) -> list[Reader]:
        """Returns readers of the parts of the split's source, which may be shared by both splits."""
        raise NotImplementedError

    def fingerprints(self) -> list[Any]:
        """Returns values that change with the sources, as JSON."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Returns the arguments, the fingerprints of the sources, and the context length, which every pair must fit."""
        return {**super().settings(), "files": self.fingerprints(), "context_length": self.context_length}

    def jobs(self, split: Split) -> list[Job]:
        """Returns the jobs that decode the split's images."""
        return [partial(self._episodes, split, reader) for reader in self.readers(split)]

    def in_parts(self, found: Sequence[ImageText], faults: Sequence[Fault]) -> list[Reader]:
        """Returns readers of blocks of the listed images, in an order set by the seed, and of the faults."""
        order = np.random.default_rng(self.seed).permutation(len(found))
        parts: list[Iterable[ImageText | Fault]] = [faults, *grouped([found[i] for i in order], _IMAGES_AT_ONCE)]
        return [partial(iter, part) for part in parts]

    def _episodes(self, split: Split, reader: Reader) -> Iterator[Episode | Fault]:
        items = iter(reader())
        while block := list(islice(items, _IMAGES_AT_ONCE)):
            faults, pairs = self._read(split, block)
            yield from faults
            for group in grouped(pairs, self.pairs_per_episode):
                observations = [{"image": image, "question": pair.question} for image, pair in group]
                yield Episode(
                    observations=stack(self.observation_space, observations),
                    actions=[pair.text for _, pair in group],
                    rewards=np.zeros(len(group), np.float32),
                    source="files",
                    examples={t: pair.example for t, (_, pair) in enumerate(group) if pair.example},
                )

    def _read(self, split: Split, block: Sequence[ImageText | Fault]) -> tuple[list[Fault], list[tuple[np.ndarray, Pair]]]:
        """Decodes images and returns faults and pairs; adjacent pairs are of different images, as far as possible."""
        faults: list[Fault] = []
        rounds: dict[int, list[tuple[np.ndarray, Pair]]] = defaultdict(list)
        for item in block:
            if isinstance(item, Fault):
                faults.append(item)
                continue
            if self.split_by_hash and is_held_out(item.key, self.held_out) != (split == "val"):
                continue
            try:
                image = self.images.read(item.image, item.name)
            except UserError as error:
                faults.append(Fault(str(error), len(item.pairs)))
                continue
            written = set() if split == "val" else {pair.example for pair in item.pairs}
            for number, pair in enumerate(item.pairs):
                try:
                    self._check_length(image, pair)
                except UserError as error:
                    faults.append(Fault(f"image {item.name}, text {number}: {error}"))
                    continue
                # All captions of an image form one example, for which one text is generated.
                example = None if pair.example in written else pair.example
                written.add(None if pair.question else pair.example)
                rounds[number].append((image, Pair(pair.text, pair.question, example)))
        return faults, [pair for number in sorted(rounds) for pair in rounds[number]]

    def _check_length(self, image: np.ndarray, pair: Pair) -> None:
        observed = num_patches(image) + len(self.text_tokenizer.encode(pair.question))
        check_length(observed, observed + len(self.text_tokenizer.encode(pair.text)) + 2, self.context_length)
