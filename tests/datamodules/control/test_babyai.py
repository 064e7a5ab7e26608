from pathlib import Path

import numpy as np
import pytest

import datamodules.control.minigrid_view
from datamodules.control.babyai import WITHOUT_EXPERT, BabyAIDataModule
from gato_lightning.errors import UserError


def make(level: str, **settings: object) -> BabyAIDataModule:
    return BabyAIDataModule(f"BabyAI-{level}-v0", **settings)  # type: ignore[arg-type]


def test_episodes_with_noise_still_succeed():
    episodes = make("PickupLoc", expert="reactive", episodes=25, noise=0.3).jobs("train")[0]()
    assert np.mean([episode.rewards.sum() > 0 for episode in episodes]) > 0.9


def test_nothing_is_printed(capsys):
    module = make("PickupLoc")
    for seed in range(30):
        module.env.reset(seed=seed)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("env_id", sorted(WITHOUT_EXPERT))
def test_levels_that_the_bot_fails_on_are_refused(env_id):
    with pytest.raises(UserError, match=env_id):
        BabyAIDataModule(env_id)


def test_levels_that_the_reactive_expert_cannot_do_are_refused():
    with pytest.raises(UserError, match="PutNextLocal-v0' needs expert 'bot'"):
        make("PutNextLocal", expert="reactive")


def test_an_unknown_level_is_named_with_the_nearest():
    with pytest.raises(UserError, match="'BabyAI-GoToLocl-v0'; did you mean BabyAI-GoToLocal-v0"):
        BabyAIDataModule("BabyAI-GoToLocl-v0")


def test_it_needs_no_robot_simulator():
    """Read off the source: a fresh interpreter would take many seconds to import."""
    for file in Path(datamodules.control.babyai.__file__).parent.rglob("babyai*.py"):
        assert not {"metaworld", "mujoco"} & set(file.read_text().replace(".", " ").split()), file
