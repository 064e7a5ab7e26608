"""The shipped MuJoCo experts do what their files say."""

import numpy as np
import pytest

from datamodules.control.mujoco import MujocoDataModule
from datamodules.control.suites import suite
from gato_lightning.errors import UserError

ENV_IDS = [task.init_args["env_id"] for task in suite("mujoco")]


def test_every_shipped_expert_is_in_the_list_of_tasks():
    assert set(MujocoDataModule(ENV_IDS[0]).env_ids()) == set(ENV_IDS)


@pytest.mark.parametrize("env_id", ENV_IDS)
def test_the_expert_is_clearly_better_than_chance(env_id):
    module = MujocoDataModule(env_id, reference_episodes=4)
    expert, random = ([value for job in jobs for value in job()] for jobs in module.measurements().values())
    about = module.policy.about
    assert np.mean(expert) > np.mean(random) + 0.3 * (about["return_mean"] - about["random_return_mean"])


def test_a_better_expert_shows_its_demonstrations_anew(monkeypatch):
    module = MujocoDataModule("Reacher-v5")
    before = module.settings()
    assert before == MujocoDataModule("Reacher-v5").settings()
    module.policy.weights[0][0, 0] += 0.1
    assert module.settings() != before


def test_an_unknown_robot_is_named_with_the_nearest():
    with pytest.raises(UserError, match=r"unknown mujoco environment 'Reacher-v4'; did you mean Reacher-v5"):
        MujocoDataModule("Reacher-v4")
