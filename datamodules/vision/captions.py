"""Captioning: emoji and their names (Gato, section 3.2)."""

import string
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
from gymnasium import spaces

from datamodules.base.pairs import grouped
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.vision.emoji_catalogue import Emoji, catalogue
from datamodules.vision.images import PATCH, load, paint
from gato_lightning.common.settings import PositiveInt, Range, Seed, ShareBetween
from gato_lightning.sequences.tasks import GenerationTask
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.image_files import ImageSettings, colour

_EPISODES_PER_JOB = 256
_CHARACTERS = string.ascii_lowercase + string.digits + " "


class CaptionsDataModule(TaskDataModule):
    """A captioning task: each timestep shows one emoji; the action is its name in plain words, such as `"grinning face"`.

    The split is by concept: the emoji of all genders, skin tones and directions of one thing are in the same split, and so are
    flags that look the same.

    Args:
        image_size: side of the images in pixels, a positive multiple of 16.
        background: colour behind the emoji, a name or `#rrggbb`. On white, half of the emoji with white in them vanish.
        skin_tones: whether to keep the variants of skin tone (3,910 images instead of 1,881).
        views: number of versions of each training image, 1 or more: the first fills the square as in the held-out split, the
            others are smaller, at random places, on backgrounds of random colour.
        held_out: share of the concepts that is never trained on, in (0, 1).
        pairs_per_episode: number of pairs in an episode, one per timestep, 1 or more; 5 in the paper (Gato, section 3.2).
        timesteps: maximum number of timesteps in a training window, 1 or more; None: as many as fit.
        seed: seed of the order of the pairs and of the views, not of the split; 0 or more.
    """

    domain = "captions"

    def __init__(
        self,
        image_size: Annotated[int, Range(least=PATCH, multiple_of=PATCH)] = 64,
        background: str = "grey",
        skin_tones: bool = False,
        views: PositiveInt = 4,
        held_out: ShareBetween = 0.1,
        pairs_per_episode: PositiveInt = 1,
        timesteps: PositiveInt | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        self.image_size = image_size
        self.background = colour("background", background)
        self.images = ImageSettings("pad", image_size, image_size, background)
        self.skin_tones, self.views = skin_tones, views
        self.held_out, self.pairs_per_episode = held_out, pairs_per_episode
        self.observation_space = spaces.Dict({"image": spaces.Box(0, 255, (image_size, image_size, 3), np.uint8)})
        self.action_space = spaces.Text(max_length=100, charset=_CHARACTERS)

    def jobs(self, split: Split) -> list[Job]:
        """Returns the jobs that paint the split's images, in an order set by the seed."""
        views = self.views if split == "train" else 1
        pairs = [(emoji, view) for emoji in self._emoji(split) for view in range(views)]
        order = np.random.default_rng(self.seed).permutation(len(pairs))
        chunks = grouped([pairs[i] for i in order], self.pairs_per_episode * _EPISODES_PER_JOB)
        return [partial(self._episodes, chunk) for chunk in chunks]

    def generation(self) -> GenerationTask:
        """Returns all held-out images, each with all its names as references."""
        emoji = self._emoji("val")
        return GenerationTask(
            kind="caption",
            observations=[{"image": self._paint(one, view=0)} for one in emoji],
            references=[one.names for one in emoji],
            groups=[""] * len(emoji),
            baseline={},
        )

    def _emoji(self, split: Split) -> list[Emoji]:
        wanted = split == "val"
        return [one for one in catalogue(self.skin_tones) if is_held_out(one.concept, self.held_out) == wanted]

    def _episodes(self, pairs: Sequence[tuple[Emoji, int]]) -> Iterator[Episode]:
        for group in grouped(pairs, self.pairs_per_episode):
            yield Episode(
                observations={"image": np.stack([self._paint(emoji, view) for emoji, view in group])},
                actions=[emoji.names[0] for emoji, _ in group],
                rewards=np.zeros(len(group), np.float32),
                source="twemoji",
            )

    def _paint(self, emoji: Emoji, view: int) -> np.ndarray:
        """Returns one view of an emoji, uint8 (image_size, image_size, 3)."""
        look: dict[str, Any] = {"background": self.background}
        if view:
            # Seeded by the identity of the view, so that it is the same in any job.
            rng = np.random.default_rng([self.seed, view, *emoji.path.stem.encode()])
            look = {
                "background": tuple(rng.integers(0, 256, 3).tolist()),
                "scale": rng.uniform(0.7, 1.0),
                "place": rng.uniform(0.0, 1.0, 2),
            }
        return paint(load(emoji.path), self.image_size, **look)
