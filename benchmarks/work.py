"""The work that is measured: sizes, and batches from our own data path over made-up episodes.

Every timestep has 44 tokens. Control: 39 numbers, the separator, 4 action numbers. Images: 36 patches of a 96x96 frame,
3 numbers, the separator, 4 action numbers. A sequence holds one episode without a prompt, so that no side is helped by a
segment mask.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from gymnasium import Space, spaces

from gato_lightning.model.config import GatoConfig
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker, collate
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TOKENS = 44  # of a timestep
NO_PROMPTS = PromptSettings(probability=0.0)


@dataclass(frozen=True)
class Size:
    """A size of the model and of its batches."""

    name: str
    depth: int
    width: int
    heads: int
    context_length: int
    batch_size: int

    def config(self, **changes: object) -> GatoConfig:
        """Ours, with the paper's feed-forward width and nothing random."""
        head_size, feedforward = self.width // self.heads, 4 * self.width
        shape = {"width": self.width, "depth": self.depth, "heads": self.heads, "head_size": head_size}
        rest = {"feedforward": feedforward, "context_length": self.context_length, "drop_path": 0.0}
        return GatoConfig(**{**shape, **rest, **changes})  # type: ignore[arg-type]


SMALL = Size("small", depth=6, width=256, heads=8, context_length=512, batch_size=2)
SMALL_8 = Size("small, batch 8", depth=6, width=256, heads=8, context_length=512, batch_size=8)
MID = Size("mid", depth=8, width=768, heads=24, context_length=256, batch_size=2)


def control_space() -> Space:
    """39 numbers."""
    return spaces.Box(-np.inf, np.inf, (39,))


def image_space() -> Space:
    """A 96x96 frame and 3 numbers: 39 tokens, too."""
    return spaces.Dict({"frame": spaces.Box(0, 255, (96, 96, 3), np.uint8), "x": spaces.Box(-1, 1, (3,))})


def control_values(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Observations of `control_space`."""
    return rng.standard_normal((steps, 39))


def noise_frames(rng: np.random.Generator, steps: int) -> dict[str, np.ndarray]:
    """Observations of `image_space` in which no two patches are alike: the worst case for an encoder."""
    frames = rng.integers(0, 256, (steps, 96, 96, 3), dtype=np.uint8)
    return {"frame": frames, "x": rng.uniform(-1, 1, (steps, 3))}


def still_frames(rng: np.random.Generator, steps: int) -> dict[str, np.ndarray]:
    """Observations of `image_space` in which 9 of 36 patches change from frame to frame before a still background."""
    values = noise_frames(rng, steps)
    background = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
    moving = values["frame"][:, 24:72, 24:72].copy()
    values["frame"][:] = background
    values["frame"][:, 32:80, 32:80] = moving
    return values


@cache
def text_tokenizer() -> TextTokenizer:
    """The one that ships."""
    return TextTokenizer()


def tokenizer(space: Space) -> TimestepTokenizer:
    """Of a space and 4 action numbers."""
    return TimestepTokenizer(space, spaces.Box(-1, 1, (4,)), Vocabulary(), text_tokenizer())


def make_store(space: Space, observe: Callable, folder: Path, episodes: int = 8, steps: int = 60) -> EpisodeStore:
    """A store of made-up episodes."""
    rng, tokens = np.random.default_rng(0), tokenizer(space)
    made = []
    for _ in range(episodes):
        played = Episode(observe(rng, steps), rng.uniform(-1, 1, (steps, 4)), np.zeros(steps, np.float32), "made up")
        made.append(TokenEpisode(tokens.encode_episode(played), 0.0, "made up"))
    write_store(folder, made, {})
    return EpisodeStore(folder)


def make_batch(space: Space, observe: Callable, size: Size) -> TokenBatch:
    """A training batch."""
    with tempfile.TemporaryDirectory() as folder:
        store = make_store(space, observe, Path(folder) / "store")
        packer = SequencePacker(
            [SegmentSampler(store, size.context_length, NO_PROMPTS)], np.ones(1), size.context_length, seed=0
        )
        return collate([packer(i) for i in range(size.batch_size)], size.context_length, Vocabulary())
