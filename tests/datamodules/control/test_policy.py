"""Any environment with any policy."""

from datamodules.collecting.collect import prepare
from datamodules.control.policy import PolicyDataModule
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary
from tests.datamodules.own_envs import LENGTH


def prepared(cache, module, workers=2):
    module.connect("walk", Vocabulary(), TextTokenizer(), 64, cache)
    prepare([module], workers)
    return module


def steady(action):
    """A policy that only Python knows, with a value of its own inside."""
    return lambda observation: action


def test_a_policy_may_be_any_callable_and_another_one_makes_another_store(tmp_path):
    def prepared_with(policy):
        lengths = {"episodes": 2, "val_episodes": 1, "reference_episodes": 1}
        module = PolicyDataModule("tests.datamodules.own_envs:own/Walk-v0", policy, min_score=None, **lengths)
        return prepared(tmp_path, module)

    right = prepared_with(steady(1))
    assert EpisodeStore(right.folder("train")).meta["references"]["expert"]["mean"] == LENGTH
    assert prepared_with(steady(1)).folder("train") == right.folder("train")
    assert prepared_with(steady(0)).folder("train") != right.folder("train")
