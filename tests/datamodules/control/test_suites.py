"""The list of tasks is complete, names what exists, and costs nothing to read."""

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from datamodules.control.suites import SUITES, TASKS, expand, find, suite
from gato_lightning.cli.config_files import read_config_files
from gato_lightning.errors import UserError

OVERLAYS = {path.stem: path for path in (Path(__file__).parents[3] / "conf" / "task").glob("*.yaml") if path.stem in SUITES}


def test_there_are_230_tasks_and_more():
    assert len(TASKS) >= 230


def test_names_are_unique_and_fit_for_file_names():
    assert len(TASKS) == sum(map(len, SUITES.values()))
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in TASKS)


def test_names_are_those_of_the_main_config():
    for name in ("babyai-goto-redball-grey", "babyai-pickup-loc", "cartpole", "frozenlake", "lunarlander"):
        assert name in TASKS
    assert find("babyai-goto-obj-maze-s4r2").init_args == {"env_id": "BabyAI-GoToObjMazeS4R2-v0"}
    assert find("babyai-goto-obj-s6").init_args == {"env_id": "BabyAI-GoToObjS6-v1"}
    assert find("metaworld-assembly-v3").init_args == {"env_id": "assembly-v3"}


def test_every_level_with_an_expert_is_listed():
    from datamodules.control.babyai import WITHOUT_EXPERT, BabyAIDataModule

    assert {task.init_args["env_id"] for task in suite("babyai")} == set(BabyAIDataModule.levels()) - WITHOUT_EXPERT


def test_all_of_meta_world_is_listed():
    from metaworld.policies import ENV_POLICY_MAP

    assert {task.init_args["env_id"] for task in suite("metaworld")} == set(ENV_POLICY_MAP)


@pytest.mark.parametrize("name", SUITES)
def test_each_task_has_the_domain_of_its_class(name):
    for task in suite(name):
        assert pkgutil.resolve_name(task.class_path).domain == task.domain
        assert task.suite == name


@pytest.mark.parametrize("name", OVERLAYS)
def test_overlays_hold_the_whole_suite(name):
    data = read_config_files([str(OVERLAYS[name])], expand)["data"]
    assert list(data["tasks"]) == [task.name for task in suite(name)]
    assert set(data.get("domain_weights", {})) <= {task.domain for task in suite(name)}
    for task in suite(name):
        stanza = data["tasks"][task.name]["datamodule"]
        assert stanza == {"class_path": task.class_path, "init_args": {**task.init_args, **task.training}}


def test_a_suite_in_a_config_is_its_tasks_with_the_settings_of_the_config():
    tasks = {"cartpole": {"weight": 5, "datamodule": {"init_args": {"noise": 0.0}}}, "own": {"weight": 1}}
    suites = {"classic": {"weight": 0.5, "init_args": {"episodes": 7}}}
    data = expand({"batch_size": 4, "suites": suites, "tasks": tasks})
    assert set(data) == {"batch_size", "tasks"}
    assert list(data["tasks"]) == [*(task.name for task in suite("classic")), "own"]
    assert data["tasks"]["cartpole"]["weight"] == 5
    arguments = data["tasks"]["cartpole"]["datamodule"]["init_args"]
    assert arguments == {"env_id": "CartPole-v1", "episodes": 7, "noise": 0.0}
    assert data["tasks"]["taxi"]["weight"] == 0.5
    assert data["tasks"]["taxi"]["datamodule"]["init_args"]["episodes"] == 7


def test_tasks_can_be_left_out_of_a_suite():
    chosen = expand({"suites": {"classic": {"leave_out": ["taxi", "pendulum"]}}})["tasks"]
    assert {task.name for task in suite("classic")} - set(chosen) == {"taxi", "pendulum"}


@pytest.mark.parametrize(
    ("suites", "message"),
    [
        ({"classic": {"leave_out": ["taxy"]}}, r"data.suites.classic.leave_out: unknown task 'taxy'; did you mean taxi"),
        ({"babiai": {}}, "unknown suite 'babiai'; did you mean babyai"),
        ({"babyai": {"wieght": 1}}, "data.suites.babyai: unknown key 'wieght'; did you mean weight"),
        (["babyai"], "data.suites: .* expected settings by suite"),
    ],
)
def test_a_mistake_in_suites_is_told(suites, message):
    with pytest.raises(UserError, match=message):
        expand({"suites": suites})


def test_every_suite_has_an_overlay():
    assert set(OVERLAYS) == set(SUITES)


def test_a_task_is_made_with_further_settings():
    task = find("metaworld-push-back-v3").make(episodes=3)
    assert (task.env_id, task.max_episode_steps, task.episodes) == ("push-back-v3", 500, 3)


def test_reading_the_list_loads_no_simulator():
    heavy = "import sys, datamodules.control.suites; print(*{'torch', 'gymnasium', 'mujoco', 'minigrid'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.split() == []


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(UserError, match="unknown task 'babyai-goto-locl'; did you mean babyai-goto-local"):
        find("babyai-goto-locl")
    with pytest.raises(UserError, match="unknown suite 'babiai'; did you mean babyai"):
        suite("babiai")
