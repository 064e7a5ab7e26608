"""Captioning: emoji and their names (Gato, section 3.2, has pictures and captions as one kind of episode)."""

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
    """Each timestep shows one emoji; the action is its name in plain words, such as `"grinning face"`.

    Held out are whole concepts: the emoji of all genders, skin tones and directions of one thing stand on one side of
    the split, and so do flags that look the same.

    Args:
        image_size: side of the pictures in pixels, a positive multiple of 16.
        background: colour behind the emoji, a name or `#rrggbb`. Half of the emoji with white in them vanish on white.
        skin_tones: keep the variants of skin tone (3,910 pictures instead of 1,881).
        views: paintings of each training picture, 1 or more: the first is the whole square as in the held-out part, the others
            are smaller, anywhere, on a background of any colour.
        held_out: share of the concepts that is never trained on, in (0, 1).
        pairs_per_episode: pairs in one episode, one a timestep, 1 or more; 5 in the paper (Gato, section 3.2).
        timesteps: most timesteps of a training window, 1 or more; None for as many as fit.
        seed: decides the order of the pairs and the views, not the split; 0 or more.
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
        """Paints the pictures of one side of the split, in an order that the seed decides."""
        views = self.views if split == "train" else 1
        pairs = [(emoji, view) for emoji in self._emoji(split) for view in range(views)]
        order = np.random.default_rng(self.seed).permutation(len(pairs))
        chunks = grouped([pairs[i] for i in order], self.pairs_per_episode * _EPISODES_PER_JOB)
        return [partial(self._episodes, chunk) for chunk in chunks]

    def generation(self) -> GenerationTask:
        """Every held-out picture; its references are all of its names."""
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
        """One painting: uint8 (image_size, image_size, 3)."""
        look: dict[str, Any] = {"background": self.background}
        if view:
            # Drawn from what names the painting, so that it is the same in whichever job it is painted.
            rng = np.random.default_rng([self.seed, view, *emoji.path.stem.encode()])
            look = {
                "background": tuple(rng.integers(0, 256, 3).tolist()),
                "scale": rng.uniform(0.7, 1.0),
                "place": rng.uniform(0.0, 1.0, 2),
            }
        return paint(load(emoji.path), self.image_size, **look)
