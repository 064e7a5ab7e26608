"""Small real parts for tests of the core."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from gato_lightning.model.config import GatoConfig
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.store import EpisodeStore, TokenEpisode, write_store
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TINY = {
    "width": 32,
    "depth": 2,
    "heads": 2,
    "head_size": 16,
    "feedforward": 64,
    "context_length": 128,
    "patch_channels": 32,
}


@pytest.fixture(scope="session")
def text() -> TextTokenizer:
    return TextTokenizer()


@pytest.fixture
def tiny_config() -> GatoConfig:
    return GatoConfig(**TINY, patch_stride=4, drop_path=0.0)


@pytest.fixture
def tiny_model(tiny_config) -> Gato:
    torch.manual_seed(0)
    return Gato(tiny_config).eval()


@pytest.fixture
def unsure_model(tiny_config) -> Gato:
    """A model whose texts differ in length: it ends a text about every third token, and its likeliest tokens are close."""
    torch.manual_seed(1)
    model = Gato(tiny_config).eval()
    with torch.no_grad():
        model.embedding.table.weight *= 6
    return model


@pytest.fixture
def image_tokenizer(text) -> TimestepTokenizer:
    observation = spaces.Dict({"image": spaces.Box(0, 255, (32, 32, 3), np.uint8), "x": spaces.Box(-1, 1, (3,))})
    return TimestepTokenizer(observation, spaces.MultiDiscrete([3, 4]), Vocabulary(), text)


def random_episodes(tokenizer: TimestepTokenizer, lengths: list[int], source: str = "expert") -> list[TokenEpisode]:
    """Episodes of random values; the first number of x is the episode's index / 10."""
    rng = np.random.default_rng(0)
    episodes = []
    for index, length in enumerate(lengths):
        x = rng.uniform(-1, 1, (length, 3))
        x[:, 0] = index / 10
        image = rng.integers(0, 2, (length, 32, 32, 3), dtype=np.uint8) * 255
        image[:, :16, :16] = 7  # a patch that all share
        actions = rng.integers(0, 3, (length, 2))
        played = Episode({"image": image, "x": x}, actions, np.full(length, index, np.float32), source)
        episodes.append(TokenEpisode(tokenizer.encode_episode(played), float(index * length), source))
    return episodes


@pytest.fixture
def store(tmp_path, image_tokenizer) -> EpisodeStore:
    write_store(tmp_path / "store", random_episodes(image_tokenizer, [5, 1, 9, 3]), {"task": "t"})
    return EpisodeStore(tmp_path / "store")
