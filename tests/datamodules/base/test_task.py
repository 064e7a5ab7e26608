"""The base of tasks: cache keys, lengths, and what is kept."""

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.base.task import TaskDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TOKENIZER = TextTokenizer()


class Numbers(TaskDataModule):
    """Numbers.

    Args:
        count: how many, 1 or more.
    """

    domain = "own"

    def __init__(self, count: int = 3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.observation_space, self.action_space = spaces.Box(-1, 1, (count,)), spaces.Discrete(2)


def connected(tmp_path, context_length=16, separate_discrete=False, **settings) -> Numbers:
    task = Numbers(**settings)
    task.connect("numbers", Vocabulary(separate_discrete), TOKENIZER, context_length, tmp_path)
    return task


def episode(length=4, count=3) -> Episode:
    return Episode(np.zeros((length, count)), np.ones(length, np.int64), np.ones(length, np.float32), "expert")


def test_the_folder_follows_what_shapes_episodes_and_nothing_else(tmp_path):
    first = connected(tmp_path).folder("train")
    assert connected(tmp_path, timesteps=2).folder("train") == first
    assert connected(tmp_path, context_length=99).folder("train") == first
    others = [connected(tmp_path, count=2), connected(tmp_path, seed=1), connected(tmp_path, separate_discrete=True)]
    assert len({first, *(other.folder("train") for other in others)}) == 4
    assert first != connected(tmp_path).folder("val")


def test_a_timestep_that_cannot_fit_is_refused_when_the_task_is_connected(tmp_path):
    with pytest.raises(UserError, match=r"task numbers: .*timestep of 5 tokens is longer than the context of 4"):
        connected(tmp_path, context_length=4)


def test_an_episode_becomes_tokens_with_its_return(tmp_path):
    tokens = connected(tmp_path).tokenise(episode())
    assert (tokens.total_reward, tokens.source, len(tokens.timesteps)) == (4.0, "expert", 4)


def test_stores_hold_what_is_kept_and_count_what_is_not(tmp_path):
    task = connected(tmp_path)
    task.keep = lambda one, references: one.total_reward >= 3
    episodes = [task.tokenise(episode(length)) for length in (2, 3, 4)]
    for split in ("train", "val"):
        assert task.write(split, episodes, {}) == 1
    task.setup("fit")
    assert task.stores["train"].returns.tolist() == [3, 4]
    assert task.stores["train"].meta["dropped"] == 1


def test_nothing_to_keep_is_told(tmp_path):
    task = connected(tmp_path)
    task.keep = lambda one, references: False
    with pytest.raises(UserError, match="task numbers: none of 1 train episodes is good enough"):
        task.write("train", [task.tokenise(episode())], {})


def test_settings_out_of_range_are_refused():
    with pytest.raises(UserError, match="timesteps"):
        Numbers(timesteps=0)
