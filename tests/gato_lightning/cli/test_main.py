"""The command line, run in-process with small stand-ins for the model and the tasks."""

import json
import logging
import os
import shutil
from types import SimpleNamespace

import pytest
import torch
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gato_lightning.cli.main import run as command_line
from gato_lightning.errors import UserError, unknown
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore
from gato_lightning.model.checkpoint import differences, load_checkpoint
from gato_lightning.sequences.tasks import FINAL_SEED
from tests.standins import Mixture, Model

BASE = """
vars: {width: 4}
trainer: {max_steps: 2, accelerator: cpu, enable_progress_bar: false, enable_model_summary: false}
model: {config: {width: "${vars.width}"}}
data:
  tasks:
    text: {weight: 0.5, datamodule: {class_path: tests.standins.TextTask, init_args: {limit: 4}}}
    images: {datamodule: {class_path: tests.standins.TextTask}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Runs each test in a folder of its own with a config `base.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def run(*args):
    """Runs a command line; returns the mixture that it built."""
    command_line(Model, Mixture, list(args))
    return Mixture.last


def fit(*args):
    return run("fit", "--config", "base.yaml", *args)


def printed_config(capsys, *args):
    with pytest.raises(SystemExit) as stop:
        run("fit", "--config", "base.yaml", *args, "--print_config")
    assert stop.value.code == 0
    return capsys.readouterr().out


def complaint(capsys, *args):
    """The one line on stderr with which a command line is refused."""
    with pytest.raises(SystemExit) as stop:
        run(*args)
    assert stop.value.code == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    return errors[0].removeprefix("error: ")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished run; never written to."""
    place = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        (place / "base.yaml").write_text(BASE)
        fit()
    return place / "logs" / "base" / "version_0"


@pytest.fixture
def checkpoint(trained, folder):
    """A checkpoint beside the config of its run, as after a training run here."""
    shutil.copytree(trained, folder / "run")
    return str(next((folder / "run" / "checkpoints").glob("*.ckpt")))


class TestConfig:
    def test_the_second_file_adds_a_task_and_keeps_the_first_ones(self, folder):
        (folder / "more.yaml").write_text("data: {tasks: {new: {datamodule: {class_path: tests.standins.TextTask}}}}")
        tasks = fit("--config", "more.yaml").tasks
        assert list(tasks) == ["text", "images", "new"]
        assert tasks["text"].datamodule.limit == 4

    def test_an_override_by_name_changes_only_that(self):
        tasks = fit("--data.tasks.text.weight", "9").tasks
        assert (tasks["text"].weight, tasks["text"].datamodule.limit) == (9, 4)
        assert tasks["images"].weight == 1

    def test_an_override_reaches_into_a_datamodule(self):
        assert fit("--data.tasks.text.datamodule.init_args.limit=7").tasks["text"].datamodule.limit == 7

    def test_an_override_adds_a_task(self):
        assert "new" in fit("--data.tasks.new.datamodule", "tests.standins.TextTask").tasks

    def test_an_override_wins_wherever_it_stands(self, capsys):
        with pytest.raises(SystemExit):
            run("fit", "--trainer.max_steps", "7", "--config", "base.yaml", "--print_config")
        assert yaml.safe_load(capsys.readouterr().out)["trainer"]["max_steps"] == 7

    def test_plus_appends_across_files(self, folder):
        callback = "trainer: {{callbacks+: [{{class_path: lightning.pytorch.callbacks.{}}}]}}"
        (folder / "a.yaml").write_text(callback.format("Timer"))
        (folder / "b.yaml").write_text(callback.format("LearningRateMonitor"))
        callbacks = fit("--config", "a.yaml", "--config", "b.yaml").trainer.callbacks
        assert {"Timer", "LearningRateMonitor"} <= {type(callback).__name__ for callback in callbacks}

    def test_interpolation_follows_files_and_command_line(self, folder, capsys):
        (folder / "wide.yaml").write_text("vars: {width: 6}")
        assert yaml.safe_load(printed_config(capsys))["model"]["config"]["width"] == 4
        wide = yaml.safe_load(printed_config(capsys, "--config", "wide.yaml"))
        assert wide["model"]["config"]["width"] == 6
        assert yaml.safe_load(printed_config(capsys, "--vars.width", "8"))["model"]["config"]["width"] == 8
        assert yaml.safe_load(printed_config(capsys, "--model.config.width", "9"))["model"]["config"]["width"] == 9

    def test_the_data_gets_the_context_length_of_the_model(self):
        assert fit("--model.config.context_length", "32").context_length == 32

    def test_print_config_explains_each_setting(self, capsys):
        text = printed_config(capsys)
        assert "# how many episodes" in text  # of a task
        assert "# model width" in text
        assert "# Stop training after this number of steps" in text


class TestMistakes:
    """Each ends with status 2 and one line; no traceback is printed, since `SystemExit` prints none."""

    @pytest.mark.parametrize(
        ("override", "line"),
        [
            ("--model.config.widht=3", "model.config: unknown key 'widht'; did you mean width?"),
            ("--modle.config.width=3", "unknown key 'modle.config.width'; did you mean model.config.width?"),
            ("--trainer.max_step=3", "trainer: unknown key 'max_step'; did you mean max_steps?"),
            ("--trainer.max_steps=many", "trainer.max_steps: expected int, got many"),
            ("--trainer.gradient_clip_val=a", "trainer.gradient_clip_val: expected int, float, null, got a"),
            ("--trainer.callbacks+=Timmer", "trainer.callbacks: 'Timmer' is neither a class nor a file"),
            ("--trainer.accelerator=gpuu", "trainer: You selected an invalid accelerator name"),
            ("--trainer.devices=1000", "trainer.devices: 1000, expected at most"),
            ("--trainer.precision=transformer-engine", "pip install -U 'transformer_engine"),
            ("--trainer.logger=lightning.pytorch.loggers.WandbLogger", "pip install -U 'wandb"),
            ("--data.context_length=8", "must be given via \"model.config.context_length\""),
            ("--data.tasks.txet.weight=3", "unknown task 'txet'; did you mean text?"),
            ("--data.tasks.text.weigth=3", "data.tasks.text: unknown key 'weigth'; did you mean weight?"),
            ("--data.tasks.text.weight=much", "data.tasks.text.weight: expected float, got much"),
            (
                "--data.tasks.images.datamodule.init_args.limt=3",
                "data.tasks.images.datamodule: unknown key 'limt'; did you mean limit?",
            ),
            (
                "--data.tasks.images.datamodule=tests.standins.TextTaks",
                "data.tasks.images.datamodule: unknown class in tests.standins 'TextTaks'; did you mean TextTask?",
            ),
            ("--data.tasks.images.datamodule=nowhere.Task", "data.tasks.images.datamodule: No module named 'nowhere'"),
            ("--data.tasks.text.datamodule.init_args.fails=init", "task 'text': cannot be built"),
            ("--data.tasks.text.datamodule.init_args.fails=prepare", "demo.npz, timestep 3: NaN in 'speed'"),
            ("--data.tasks.text.datamodule.init_args.fails=worker", "episode 7 is longer than the context"),
            ("--data.tasks.text.datamodule.init_args.fails=disk", "No space left on device"),
        ],
    )  # fmt: skip
    def test_on_the_command_line(self, capsys, override, line):
        assert line in complaint(capsys, "fit", "--config", "base.yaml", override)

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("modle: {config: {width: 3}}", "unknown key 'modle.config.width'; did you mean model.config.width?"),
            ("model: {config: {widht: 3}}", "model.config: unknown key 'widht'; did you mean width?"),
            ("data: {tasks: {txet: {weight: 3}}}", "unknown task 'txet'; did you mean text?"),
            ("data: {tasks: {text: {weight: [1]}}}", "data.tasks.text.weight: expected float, got [1]"),
            ("data: {tasks: {images: 3}}", "data.tasks.images: expected the settings of a Stanza, got 3"),
            (
                "data: {tasks: {images: {datamodule: {init_args: {limt: 3}}}}}",
                "data.tasks.images.datamodule: unknown key 'limt'; did you mean limit?",
            ),
            (
                "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.Timer, init_args: {durations: 1}}]}",
                "trainer.callbacks: unknown key 'durations'; did you mean duration?",
            ),
            (
                "trainer: {callbacks: [{class_path: lightning.pytorch.callbacks.EarlyStopping, init_args: {monitor: none}}]}",
                "trainer: Early stopping conditioned on metric `none` which is not available.",
            ),
            ("data: {tasks: {5: {weight: 1}}}", "data.tasks: 5 is no text, expected a name; in quotes, '5' is one"),
            ("model: {config: {width: 3}", "overlay.yaml, line 1"),
            ("vars=: {}", "model.config.width: ${vars.width} is not set"),
            ("model: {learning_rate: '${vars.width'}", "learning_rate"),
        ],
    )
    def test_in_a_file(self, folder, capsys, text, line):
        (folder / "overlay.yaml").write_text(text)
        assert line in complaint(capsys, "fit", "--config", "base.yaml", "--config", "overlay.yaml")

    def test_a_missing_file(self, capsys):
        line = complaint(capsys, "fit", "--config", "bas.yaml")
        assert line == "config file bas.yaml does not exist; did you mean base.yaml?"

    def test_no_config(self, capsys):
        assert complaint(capsys, "fit") == "missing: data.tasks (is there a --config?)"

    def test_an_unknown_subcommand(self, capsys):
        assert "invalid choice: 'fti'" in complaint(capsys, "fti", "--config", "base.yaml")

    def test_an_error_of_the_code_keeps_its_traceback(self, monkeypatch):
        def broken(self, batch):
            raise ValueError("a bug")

        monkeypatch.setattr(Model, "training_step", broken)
        with pytest.raises(ValueError, match="a bug"):
            fit()

    def test_near_names(self):
        assert str(unknown("task", "cart", ["cartpole", "taxi"])) == "unknown task 'cart'; did you mean cartpole?"
        assert str(unknown("task", "x", ["b", "a"])) == "unknown task 'x'; known: a, b"
        assert "and 8 more" in str(unknown("task", "?", map(str, range(20))))


class TestLogFolder:
    def test_a_run_leaves_its_config_which_gives_the_same_run_again(self, trained, capsys):
        saved = (trained / "config.yaml").read_text()
        assert saved.startswith("# python run.py fit --config base.yaml\n")
        again = yaml.safe_load(printed_config(capsys, "--config", str(trained / "config.yaml")))
        first = yaml.safe_load(saved)
        assert {key: again[key] for key in first} == first

    def test_tensorboard_shows_the_config(self, trained):
        events = EventAccumulator(str(trained)).Reload()
        assert "weight: 0.5" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()

    def test_a_repeated_run_gets_a_folder_of_its_own(self, folder):
        fit()
        fit()
        assert {path.name for path in (folder / "logs" / "base").iterdir()} == {"version_0", "version_1"}

    def test_a_run_without_logger_leaves_no_config(self, folder):
        fit("--trainer.logger", "false", "--trainer.enable_checkpointing", "false")
        assert [path.name for path in folder.iterdir()] == ["base.yaml"]

    def test_advertisements_are_dropped_and_news_are_not(self):
        fit()
        logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
        messages = ("💡 Tip: buy", "TPU available: False", "GPU available: True")
        assert [text for text in messages if _passes(logger, text)] == ["GPU available: True"]


def _passes(logger, text):
    return bool(logger.filter(logger.makeRecord(logger.name, logging.INFO, "", 0, text, (), None)))


class TestCheckpoints:
    def test_resume_goes_on_where_it_stopped(self, checkpoint):
        fit("--ckpt_path", checkpoint, "--trainer.max_steps", "5")
        assert Mixture.last.trainer.global_step == 5

    def test_what_the_user_wrote_wins_and_the_difference_is_told(self, checkpoint, capsys):
        run("validate", "--ckpt_path", checkpoint, "--model.config.context_length", "32")
        assert Mixture.last.context_length == 32
        assert "note: model.config.context_length: 16 in the checkpoint, 32 here" in capsys.readouterr().err

    def test_the_config_beside_the_checkpoint_is_taken_where_none_is_given(self, checkpoint):
        assert run("validate", "--ckpt_path", checkpoint).tasks["text"].weight == 0.5

    def test_without_any_config_the_user_is_told(self, checkpoint, folder, capsys):
        (folder / "run" / "config.yaml").unlink()
        assert "no config.yaml beside" in complaint(capsys, "validate", "--ckpt_path", checkpoint)

    def test_another_size_is_refused_by_name(self, checkpoint, capsys):
        line = complaint(capsys, "validate", "--ckpt_path", checkpoint, "--model.config.width", "8")
        assert line == "the checkpoint does not fit this model: model.config.width: 4 in the checkpoint, 8 here"

    def test_a_missing_one(self, capsys):
        line = complaint(capsys, "fit", "--config", "base.yaml", "--ckpt_path", "none.ckpt")
        assert line == "checkpoint none.ckpt does not exist"

    @pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
    def test_one_that_is_cut_short(self, checkpoint, kept, capsys):
        with open(checkpoint, "r+b") as file:
            file.truncate(int(kept * len(file.read())))
        line = complaint(capsys, "fit", "--config", "base.yaml", "--ckpt_path", checkpoint)
        assert "is not a checkpoint, or was cut short" in line

    def test_one_of_another_project(self, folder, capsys):
        torch.save({"state_dict": {}}, "other.ckpt")
        line = complaint(capsys, "fit", "--config", "base.yaml", "--ckpt_path", "other.ckpt")
        assert line == "other.ckpt is not a checkpoint of gato-lightning"

    def test_reading_one_runs_no_code(self, folder):
        torch.save({"gato_lightning": _Bomb()}, "bomb.ckpt")
        with pytest.raises(UserError, match="could run code"):
            load_checkpoint("bomb.ckpt")
        assert not (folder / "exploded").exists()

    def test_differences_are_of_settings_that_both_have(self):
        stored = {"config": {"width": 4, "old": 1, "betas": (1, 2)}, "version": "0"}
        current = {"config": {"width": 8, "new": 1, "betas": [1, 2]}}
        assert differences(stored, current) == ["config.width: 4 in the checkpoint, 8 here"]


class _Bomb:
    """Writes a file when it is unpickled."""

    def __reduce__(self):
        return open, ("exploded", "w")


class TestRollout:
    @pytest.fixture(autouse=True)
    def evaluation(self, monkeypatch):
        """Stands in for the environments: a score for each task, and a note of how it was asked for."""
        asked = SimpleNamespace()

        def evaluate_tasks(model, tasks, first_seed, episodes, environments, settings, record, on_episode, done):
            asked.tasks, asked.seed, asked.settings = [task.name for task in tasks], first_seed, settings
            asked.training, asked.record = model.training, record
            played = [EpisodeResult(first_seed + i, 1.0, 5) for i in range(episodes)]
            return [TaskScore(task.name, task.domain, 2.0, 0.0, played) for task in tasks]

        monkeypatch.setattr("gato_lightning.training.trainer.evaluate_tasks", evaluate_tasks)
        return asked

    def test_plays_all_tasks_and_shows_and_writes_the_scores(self, checkpoint, evaluation, folder, capsys):
        run("rollout", "--ckpt_path", checkpoint, "--episodes", "3")
        assert (evaluation.tasks, evaluation.seed, evaluation.training) == (["cartpole", "taxi"], FINAL_SEED, False)
        assert "cartpole" in capsys.readouterr().out
        written = json.loads(next((folder / "run" / "checkpoints").glob("*.rollout.json")).read_text())
        assert written["mean_score"] == 0.5
        assert [(task["task"], task["score"]) for task in written["control"]] == [("cartpole", 0.5), ("taxi", 0.5)]
        assert written["summary"]["classic-control"]["tasks_above_percent"] == {"25": 1, "50": 1, "75": 0, "100": 0}
        [rows] = (folder / "run" / "checkpoints").glob("*.rollout.csv")
        assert rows.read_text().splitlines()[1] == f"cartpole,classic-control,{FINAL_SEED},5,1.0,0.5,,,False"
        assert len(rows.read_text().splitlines()) == 7
        assert rows.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

    def test_loads_the_weights_of_the_checkpoint(self, checkpoint):
        run("rollout", "--ckpt_path", checkpoint, "--seed_everything", "9")
        weights = load_checkpoint(checkpoint)["state_dict"]
        assert torch.equal(Model.last.state_dict()["model.weight"], weights["model.weight"])

    def test_plays_the_named_tasks_as_told(self, checkpoint, evaluation, folder):
        run("rollout", f"--ckpt_path={checkpoint}", "--tasks=taxi", "--output=a/b.json", "--acting.temperature=0")
        assert (evaluation.tasks, evaluation.settings.temperature) == (["taxi"], 0)
        assert (folder / "a" / "b.json").exists()

    def test_plays_the_tasks_of_a_suite(self, checkpoint, evaluation):
        run("rollout", f"--ckpt_path={checkpoint}", "--suite=toy-text", "--videos=all")
        assert (evaluation.tasks, evaluation.record) == (["taxi"], ["taxi"])

    @pytest.mark.parametrize(
        ("option", "message"),
        [
            ("--suite=toy-txt", "unknown suite 'toy-txt'; did you mean toy-text?"),
            ("--videos=cartpol", "unknown task in --videos 'cartpol'; did you mean cartpole?"),
            ("--episodes=0", "rollout.episodes: 0, expected a whole number, 1 or more"),
            ("--time_limit=-1", "rollout.time_limit: -1.0, expected a number, above 0"),
        ],
    )
    def test_wrong_options_are_told_in_one_line(self, checkpoint, capsys, option, message):
        assert complaint(capsys, "rollout", "--ckpt_path", checkpoint, option) == message

    @pytest.mark.parametrize(
        ("output", "message"),
        [
            ("scores", "scores: expected the name of a .json file"),
            ("folder.json", "folder.json: folder.json is a folder, expected the name of a file"),
            ("table.json", "table.json: table.csv is a folder, expected the name of a file"),
            ("base.json", "base.json: base is a file, expected a folder"),
            ("base/scores.json", "base/scores.json: base is a file, expected a folder"),
            ("locked/a/scores.json", "locked/a/scores.json: no permission to write into FOLDER/locked"),
        ],
    )
    def test_what_cannot_be_written_is_told_before_anything_is_played(
        self, checkpoint, evaluation, capsys, folder, monkeypatch, output, message
    ):
        for name in ("folder.json", "table.csv", "locked"):
            (folder / name).mkdir()
        (folder / "base").write_text("")
        # Whoever runs the tests may be allowed everything.
        access = os.access
        monkeypatch.setattr(os, "access", lambda path, mode: "locked" not in str(path) and access(path, mode))
        line = complaint(capsys, "rollout", "--ckpt_path", checkpoint, "--output", output, "--videos=all")
        assert line.replace(str(folder.resolve()), "FOLDER") == f"--output {message}"
        assert not hasattr(evaluation, "tasks")

    def test_an_unknown_task(self, checkpoint, capsys):
        line = complaint(capsys, "rollout", "--ckpt_path", checkpoint, "--tasks", "taxi,cartpol")
        assert line == "unknown control task 'cartpol'; did you mean cartpole?"

    def test_without_a_checkpoint(self, capsys):
        assert complaint(capsys, "rollout", "--config", "base.yaml") == "rollout needs --ckpt_path"
