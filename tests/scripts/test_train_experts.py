"""The search for experts learns, and a search that was stopped ends where one that was not does."""

from pathlib import Path

import numpy as np
import pytest

from datamodules.control.experts.linear_policy import LinearPolicy
from gato_lightning.errors import UserError
from scripts import random_search, train_experts
from scripts.expert_recipes import RECIPES, Recipe

POLE = "InvertedPendulum-v5"


@pytest.fixture
def recipe(monkeypatch):
    """A search of a second from nothing, in place of the recipe of that name."""
    monkeypatch.setattr(random_search, "SCORE_EPISODES", 3)
    monkeypatch.setitem(RECIPES, POLE, Recipe(4000, 0.2, 0.2, 4, 2, horizon=200, select_every=2))


def train(folder, timesteps, out="out"):
    paths = ["--out", str(folder / out), "--checkpoints", str(folder / "checkpoints")]
    train_experts.main(["--experts", POLE, "--timesteps", str(timesteps), *paths])
    return folder / out / f"{POLE}.safetensors"


@pytest.mark.usefixtures("recipe")
def test_it_learns_to_hold_a_pole_and_says_how(tmp_path):
    about = LinearPolicy.load(train(tmp_path, 4000)).about
    assert about["return_mean"] > 5 * about["random_return_mean"] > 0
    assert about["timesteps"] >= 4000
    assert (about["seed"], about["episodes"], about["recipe"]["step_size"]) == (0, 3, 0.2)


@pytest.mark.usefixtures("recipe")
def test_a_stopped_search_goes_on_as_if_it_had_not_been(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole", 1500)
    iterate, done = random_search.Trainer.iterate, []

    def killed(self):
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(iterate(self))

    monkeypatch.setattr(random_search.Trainer, "iterate", killed)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "parts", 1500)
    monkeypatch.undo()
    monkeypatch.setattr(random_search, "SCORE_EPISODES", 3)
    monkeypatch.setitem(RECIPES, POLE, Recipe(4000, 0.2, 0.2, 4, 2, horizon=200, select_every=2))
    assert train(tmp_path / "parts", 1500).read_bytes() == whole.read_bytes()


def test_gains_that_are_zero_stay_zero_and_a_good_controller_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(random_search, "SCORE_EPISODES", 1)
    policy = LinearPolicy.load(train(tmp_path, 0))
    np.testing.assert_array_equal(np.column_stack([policy.weight, policy.bias]), RECIPES[POLE].start)
    trainer = random_search.Trainer("Reacher-v5", RECIPES["Reacher-v5"], tmp_path / "reacher", 0)
    trainer.iterate()
    assert np.array_equal(trainer.search.policy == 0, RECIPES["Reacher-v5"].start == 0)


def test_features_are_normalised_by_what_was_seen():
    trainer = random_search.Trainer("InvertedPendulum-v5", Recipe(1, 1, 1, 1, 1), Path("none"), 0)
    values = np.random.default_rng(0).normal(5, 3, (1000, 4))
    for part in np.array_split(values, 7):
        trainer._normalise(part)
    np.testing.assert_allclose(trainer.search.mean, values.mean(axis=0))
    np.testing.assert_allclose(trainer.search.square / 1000, values.var(axis=0))


def test_a_checkpoint_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / "search.safetensors"
    search = random_search.Trainer(POLE, RECIPES[POLE], path, 0).search
    search.save(path, RECIPES[POLE].form())
    random_search.Trainer(POLE, RECIPES[POLE].lasting(7), path, 0)
    with pytest.raises(UserError, match=r"search\.safetensors: a search by another recipe"):
        random_search.Trainer(POLE, Recipe(4000, 0.2, 0.2, 4, 2), path, 0)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(UserError, match=r"search\.safetensors: expected a checkpoint"):
        random_search.Trainer(POLE, RECIPES[POLE], path, 0)


def test_an_unknown_expert_is_named_with_the_nearest():
    with pytest.raises(UserError, match="unknown expert 'Hoper-v5'; did you mean Hopper-v5"):
        train_experts.main(["--experts", "Hoper-v5"])


def test_the_list_shows_what_each_file_says(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    train_experts.main(["--list", "--experts", "InvertedPendulum-v5,Walker2d-v5"])
    assert "1000.0" in capsys.readouterr().out
