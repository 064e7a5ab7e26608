"""`run.py collect`: nothing twice, nothing lost, the same bytes from any run; what goes wrong is named and counted."""

import json
import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import minari
import numpy as np
import pytest

from datamodules.collecting.collect_command import collect
from datamodules.collecting.collect_command import run as run_plans
from datamodules.collecting.demonstrations import Finish, Plan
from datamodules.control.minari_dataset import MinariDataModule
from datamodules.control.suites import TASKS, Task
from datamodules.mixture import MixtureDataModule, TaskSpec
from run import main
from tests.datamodules.own_envs import DIES, HANGS, RAISES, WEAK

WALK = "tests.datamodules.own_envs:own/Walk-v0"
POLICY = "tests.datamodules.own_envs:to_the_right"


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


def walk(root, episodes=60, **env_kwargs) -> Plan:
    arguments = {"env_id": WALK, "policy": POLICY, "env_kwargs": env_kwargs}
    return Plan(Task("walk", "own", "own", "datamodules.PolicyDataModule", arguments), episodes, 0, 0.8, root)


def contents(root: Path) -> dict[str, bytes]:
    """All files of the finished data sets."""
    assert not [path for path in (root / ".collect").glob("*") if path.name != "lock"], "work that is left over"
    files = [path for path in root.rglob("*") if path.is_file() and ".collect" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def metadata(root: Path, task: str) -> dict:
    return json.loads((root / task / "expert-v0" / "data" / "metadata.json").read_text())


def complaint(capsys, *args) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["collect", *args])
    assert stop.value.code == 2
    return capsys.readouterr().err.strip().splitlines()[-1].removeprefix("error: ")


@pytest.fixture
def small_blocks(monkeypatch):
    """Several blocks of few episodes."""
    monkeypatch.setattr("datamodules.control.environment_task.EPISODES_PER_JOB", 4)


def test_data_sets_are_the_same_bytes_for_any_number_of_workers(tmp_path, small_blocks):
    tasks = "cartpole,taxi,babyai-goto-local,metaworld-reach-v3"
    for workers in (1, 3):
        collect(tasks=tasks, episodes=10, workers=workers, seed=5, out=str(tmp_path / str(workers)))
    one, three = contents(tmp_path / "1"), contents(tmp_path / "3")
    assert one.keys() == three.keys()
    assert all(one[path] == three[path] for path in one)
    assert {path.split("/")[0] for path in one} == set(tasks.split(","))


def test_another_seed_gives_other_episodes(tmp_path):
    for seed in (0, 1000):
        collect(tasks="frozenlake-8x8", episodes=5, workers=1, seed=seed, min_score=None, out=str(tmp_path / str(seed)))
    part = "frozenlake-8x8/expert-v0/data/0/part-0.arrow"
    assert contents(tmp_path / "0")[part] != contents(tmp_path / "1000")[part]


def _until_killed(plan: Plan, operations: int) -> None:
    """Does a plan in this process, which is killed at the given number of operations on files."""
    left = operations

    def hook(event: str, arguments: tuple) -> None:
        nonlocal left
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir") and str(plan.root) in str(arguments[0]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    for part in plan.ranges():
        if not part.records.exists():
            part(lambda seed: None, {})
    Finish(plan)(lambda seed: None, {})


def test_a_run_killed_at_any_point_goes_on_with_nothing_twice_or_lost(tmp_path, small_blocks):
    fork = multiprocessing.get_context("fork")
    whole = walk(tmp_path / "whole", episodes=10)
    assert run_plans([whole], 2) == {}
    expected, killed, operations = contents(whole.root), 0, 0
    while True:
        plan = walk(tmp_path / str(operations), episodes=10)
        child = fork.Process(target=_until_killed, args=(plan, operations))
        child.start()
        child.join()
        assert child.exitcode in (0, -signal.SIGKILL)
        assert run_plans([plan], 2) == {}
        assert contents(plan.root) == expected
        if child.exitcode == 0:
            break
        killed, operations = killed + 1, operations + 5
    assert killed >= 10, "at many points of the run"


def test_the_processes_of_a_killed_run_end_and_the_next_run_goes_on(tmp_path):
    tasks = {"tasks": "taxi", "episodes": 100, "workers": 2}
    collect(**tasks, out=str(tmp_path / "whole"))
    child = multiprocessing.get_context("fork").Process(target=collect, kwargs={**tasks, "out": str(tmp_path / "killed")})
    child.start()
    work = tmp_path / "killed" / ".collect"
    while not list(work.glob("*/expert-*.json")):
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    kept = {path: path.stat().st_mtime_ns for path in work.glob("*/expert-*.json")}
    assert kept
    collect(**tasks, out=str(tmp_path / "killed"))
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_data_set_that_is_there_is_left_as_it_is(root):
    plan = walk(root)
    run_plans([plan], 1)
    written = {path: path.stat().st_mtime_ns for path in root.rglob("*.arrow")}
    assert run_plans([walk(root)], 1) == {}
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.arrow")} == written


def test_what_goes_wrong_in_an_episode_is_named_counted_and_left_out(root, capsys):
    options = ["--env", WALK, "--env_kwargs", '{"faulty": true}', "--policy", POLICY, "--name", "walk"]
    main(["collect", *options, "--episodes", "30", "--limit", "3", "--workers", "2"])
    known = metadata(root, "walk")
    assert {failure["seed"]: failure["failure"] for failure in known["failures"]} == {
        RAISES: "ZeroDivisionError: the wheel came off",
        HANGS: "no end within 3 s",
        DIES: "the process died (SIGKILL)",
    }
    assert known["left_out"] == 1  # the weak one
    assert known["success_rate"] == pytest.approx(26 / 30)
    seeds = [one["seed"] for one in minari.load_dataset("walk/expert-v0").storage.get_episode_metadata(range(26))]
    assert seeds == [seed for seed in range(30) if seed not in (RAISES, HANGS, DIES, WEAK)]
    out = capsys.readouterr().out
    assert "task walk: 26 of 30 episodes (1 below min_score, 3 failed, the first: seed 1, ZeroDivisionError: the" in out


def test_a_task_of_which_nothing_is_left_is_told_and_the_others_are_collected(root, capsys):
    broken = ["--env", WALK, "--env_kwargs", '{"no_such": 1}', "--policy", POLICY, "--name", "broken"]
    line = complaint(capsys, "--tasks", "frozenlake", *broken, "--episodes", "3", "--workers", "1")
    assert line.startswith("1 of 2 tasks have no data set: broken: own/Walk-v0 cannot be made with env_kwargs {'no_such': 1}")
    assert metadata(root, "frozenlake")["episodes_asked"] == 3


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        (["--tasks", "babyai-goto-lokal"], "unknown task 'babyai-goto-lokal'; did you mean babyai-goto-local?"),
        (["--suite", "metaword"], "unknown suite 'metaword'; did you mean metaworld?"),
        ([], "nothing to collect: expected --suite, --tasks, --all, or --env with --policy"),
        (["--env", "CartPole-v1"], "--env and --policy must be given together"),
        (["--tasks", "taxi", "--episodes", "0"], "episodes: 0, expected a whole number, 1 or more"),
        (["--env", "CartPole-v1", "--policy", "math.cos"], "policy 'math.cos': expected package.module:name"),
        (["--env", "CartPole-v1", "--policy", "math:cosine"], "policy 'math:cosine': math has no function or class 'cosine'"),
        (["--env", "CartPole-v1", "--policy", "none.zip"], "policy none.zip: not a Stable-Baselines3 model"),
        (
            ["--env", "CartPole-v7", "--policy", "math:cos"],
            "unknown gymnasium environment 'CartPole-v7'; did you mean CartPole-v",
        ),
        (["--episode", "3"], "unknown key 'episode'; did you mean episodes?"),
    ],
)
def test_a_mistake_is_one_line(capsys, args, expected):
    assert expected in complaint(capsys, *args, "--workers", "1")


def test_a_data_set_of_other_settings_is_not_touched(root, capsys):
    main(["collect", "--tasks", "taxi", "--episodes", "3", "--workers", "1"])
    before = contents(root)
    assert "was collected with episodes_asked 3, not 4" in complaint(capsys, "--tasks", "taxi", "--episodes", "4")
    assert contents(root) == before


def test_a_data_set_of_an_older_version_is_not_used(root, capsys):
    main(["collect", "--tasks", "taxi", "--episodes", "3", "--workers", "1"])
    path = root / "taxi" / "expert-v0" / "data" / "metadata.json"
    path.write_text(json.dumps({key: value for key, value in metadata(root, "taxi").items() if key != "format"}))
    assert "taxi/expert-v0 was collected with format None" in complaint(capsys, "--tasks", "taxi", "--episodes", "3")


def test_the_list_names_every_task_with_what_was_collected(root, capsys):
    main(["collect", "--tasks", "taxi", "--episodes", "10", "--workers", "1"])
    capsys.readouterr()
    main(["collect", "--list"])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    names = [row[0].removeprefix("| ") for row in rows[1:]]
    assert names == list(TASKS)
    taxi = rows[1 + names.index("taxi")]
    known = metadata(root, "taxi")
    assert taxi[3:6] == [str(known["total_episodes"]), f"{known['ref_max_score']:.2f}", f"{known['ref_min_score']:.2f}"]
    assert taxi[7:] == [str(known["left_out"]), f"{len(known['failures'])} |"]


def test_a_policy_with_a_memory_is_made_anew_for_each_episode(root):
    arguments = ["--env", WALK, "--policy", "tests.datamodules.own_envs:Alternating", "--min_score", "null"]
    main(["collect", *arguments, "--episodes", "4", "--workers", "1"])
    for episode in minari.load_dataset("walk-v0/expert-v0").iterate_episodes():
        assert episode.actions.tolist() == [1, 0, 1, 0, 1, 0]


def test_a_model_of_stable_baselines_demonstrates(root, tmp_path):
    sb3 = pytest.importorskip("stable_baselines3")
    model = sb3.PPO("MlpPolicy", "CartPole-v1", seed=0, device="cpu")
    model.save(tmp_path / "model.zip")
    policy = ["--policy", str(tmp_path / "model.zip"), "--min_score", "null"]
    main(["collect", "--env", "CartPole-v1", *policy, "--episodes", "3", "--workers", "1"])
    data = minari.load_dataset("cartpole-v1/expert-v0")
    assert len(data) == 3
    for episode in data.iterate_episodes():
        np.testing.assert_array_equal(model.predict(episode.observations[:-1], deterministic=True)[0], episode.actions)


@pytest.mark.parametrize(("algorithm", "env_id"), [("PPO", "FrozenLake-v1"), ("DQN", "Taxi-v4")])
def test_a_model_whose_actions_are_arrays_without_dimensions_plays_what_counts_them(root, tmp_path, algorithm, env_id):
    sb3 = pytest.importorskip("stable_baselines3")
    getattr(sb3, algorithm)("MlpPolicy", env_id, seed=0, device="cpu").save(tmp_path / "model.zip")
    policy = ["--policy", str(tmp_path / "model.zip"), "--min_score", "null", "--name", "toy"]
    main(["collect", "--env", env_id, *policy, "--episodes", "2", "--workers", "1"])
    assert metadata(root, "toy")["failures"] == []


def test_a_folder_is_meant_from_where_one_stands(tmp_path, monkeypatch):
    (tmp_path / "my sets \N{SNOWMAN}").mkdir()
    monkeypatch.chdir(tmp_path / "my sets \N{SNOWMAN}")
    main(["collect", "--tasks", "cartpole", "--episodes", "2", "--workers", "1", "--out", "in here"])
    assert metadata(tmp_path / "my sets \N{SNOWMAN}" / "in here", "cartpole")["total_episodes"] == 2
    monkeypatch.chdir(tmp_path)
    main(["collect", "--tasks", "cartpole", "--episodes", "2", "--workers", "1", "--out", "my sets \N{SNOWMAN}/../there"])
    assert metadata(tmp_path / "there", "cartpole")["total_episodes"] == 2


def test_a_collected_data_set_is_a_task_with_its_environment_and_references(root, tmp_path):
    collect(tasks="babyai-goto-local", episodes=12, workers=1)
    module = MinariDataModule("babyai-goto-local/expert-v0", val_episodes=2)
    mixture = MixtureDataModule({"local": TaskSpec(module)}, cache_dir=str(tmp_path / "cache"), workers=1)
    mixture.prepare_data()
    mixture.setup("fit")
    task, known = module.control(), metadata(root, "babyai-goto-local")
    assert (task.domain, task.expert.mean, task.random.mean) == ("babyai", known["ref_max_score"], known["ref_min_score"])
    observation, _ = task.make_env().reset(seed=0)
    (first,) = minari.load_dataset("babyai-goto-local/expert-v0").iterate_episodes([0])
    np.testing.assert_array_equal(observation["image"], first.observations["image"][0])
    assert observation["mission"] == first.observations["mission"][0]
