"""The documents are true: the how-to for adding a task is executed, links and names lead somewhere."""

import json
import re
import shlex
import sys
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from datamodules.mixture import MixtureDataModule
from gato_lightning.model.config import GatoConfig
from gato_lightning.sequences.segments import PromptSettings
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.training.module import GatoModule
from gato_lightning.training.optimizer import OptimizerConfig
from run import main
from tests.datamodules import recorded_files

ROOT = Path(__file__).parent.parent
HOW_TO = ROOT / "docs" / "adding_a_task.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

QUICK = ["--trainer.accelerator", "cpu", "--trainer.enable_progress_bar", "false", "--data.workers", "1"]
FEWER = {"episodes": 4, "val_episodes": 2, "reference_episodes": 4, "steps": 12}


def named_blocks(page: str) -> dict[str, str]:
    """The code blocks that are files: those under a line which is a file name in backticks and nothing else."""
    return dict(re.findall(r"^`([^`\n]+)`\n\n```\w*\n(.*?)^```", page, flags=re.M | re.S))


def commands(page: str) -> list[list[str]]:
    """The `python run.py` command lines in the bash blocks of a page."""
    blocks = "\n".join(re.findall(r"^```(?:bash|sh|console)\n(.*?)^```", page, flags=re.M | re.S)).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in blocks.splitlines() if "run.py" in line]
    return [line[line.index("run.py") + 1 :] for line in lines]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with the page's files and the configs of this project, as if it were the root of a clone."""
    for name, text in named_blocks(HOW_TO.read_text()).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "conf" / "debug").symlink_to(ROOT / "conf" / "debug")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] == "my_tasks"]:
        del sys.modules[name]


def how_to_commands(task: str) -> list[list[str]]:
    """The commands of the page that are about one of its tasks."""
    return [line for line in commands(HOW_TO.read_text()) if any(task in word for word in line)]


def scalars(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def test_a_task_from_an_environment_is_collected_trained_and_rolled_out(clone):
    fit, rollout = how_to_commands("balance")
    fewer = [f"--data.tasks.balance.datamodule.init_args.{name}={value}" for name, value in FEWER.items()]
    main([*fit, *QUICK, *fewer, "--data.cache_dir", str(clone / "cache")])

    train, val = (next((clone / "cache").glob(f"balance-{split}-*")) for split in ("train", "val"))
    assert EpisodeStore(train).num_episodes == 4
    assert EpisodeStore(train).meta["settings"]["steps"] == 12  # an argument of the page's own class is part of the key
    assert EpisodeStore(val).num_episodes == 2
    logs = clone / "logs" / "balance" / "version_0"
    report = json.loads((logs / "report.json").read_text())
    assert report["steps"] == 4
    (played,) = report["control"]
    assert (played["task"], played["domain"], played["episodes"]) == ("balance", "balance", 1)
    assert played["expert_return"] == 12.0 > played["random_return"]
    tags = scalars(logs).Tags()["scalars"]
    assert {"train/loss/balance", "val/loss/balance", "final/score/balance"} <= set(tags)

    main(rollout)
    (played,) = json.loads(next(logs.glob("checkpoints/*.rollout.json")).read_text())["control"]
    assert len(played["returns"]) == 2


def test_a_task_from_files_is_collected_and_trained(clone):
    (fit,) = how_to_commands("heating")
    main([*fit, *QUICK, "--data.cache_dir", str(clone / "cache"), "--config", checkpoints_every_two_steps(clone)])

    train, val = (next((clone / "cache").glob(f"heating-{split}-*")) for split in ("train", "val"))
    files = named_blocks(HOW_TO.read_text())
    rows = {name: len(text.splitlines()) - 1 for name, text in files.items() if name.endswith(".csv")}
    monday = rows.pop("recordings/monday.csv")
    assert EpisodeStore(val).num_timesteps == monday
    assert EpisodeStore(train).num_timesteps == sum(rows.values())
    logs = clone / "logs" / "heating" / "version_0"
    assert json.loads((logs / "report.json").read_text())["steps"] == 4
    assert {"train/loss/heating", "val/loss/heating"} <= set(scalars(logs).Tags()["scalars"])

    main(["fit", "--ckpt_path", str(logs / "checkpoints" / "last.ckpt"), "--trainer.max_steps", "6"])
    assert json.loads((logs.parent / "version_1" / "report.json").read_text())["steps"] == 6


def checkpoints_every_two_steps(folder: Path) -> str:
    """The overlay of docs/configuration.md that writes checkpoints on the way."""
    page = (ROOT / "docs" / "configuration.md").read_text()
    (overlay,) = re.findall(r"^```yaml\n(.*?)^```", page, flags=re.M | re.S)
    path = folder / "checkpoints.yaml"
    path.write_text(overlay.replace("every_n_train_steps: 500", "every_n_train_steps: 2"))
    return str(path)


def own_data_stanzas() -> dict[str, Any]:
    """The tasks that docs/own_data.md shows, by name."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "own_data.md").read_text(), flags=re.M | re.S)
    return {name: stanza for block in blocks for name, stanza in yaml.safe_load(block).items()}


@pytest.mark.parametrize("name", own_data_stanzas())
def test_the_stanzas_of_own_data_train(name, tmp_path, monkeypatch):
    """On data in the format's layout, at the path that the stanza names."""
    monkeypatch.chdir(tmp_path)
    recorded_files.WRITERS[name](tmp_path / "my_data")
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"data": {"tasks": {name: own_data_stanzas()[name]}}}))
    fast = str(ROOT / "conf" / "debug" / "fast.yaml")
    main(["fit", "--config", "own.yaml", "--config", fast, *QUICK, "--data.cache_dir", "cache", "--trainer.max_steps", "1"])
    train, val = (EpisodeStore(next(Path("cache").glob(f"{name}-{split}-????????????????"))) for split in ("train", "val"))
    assert train.num_episodes > val.num_episodes > 0


def test_every_file_of_the_how_to_is_used():
    blocks = named_blocks(HOW_TO.read_text())
    stanzas = [yaml.safe_load(text) for name, text in blocks.items() if name.endswith(".yaml")]
    modules = {
        spec["datamodule"]["class_path"].rpartition(".")[0] for stanza in stanzas for spec in stanza["data"]["tasks"].values()
    }
    assert modules == {name.removesuffix(".py").replace("/", ".") for name in blocks if name.endswith(".py")}
    assert len(modules) == 2


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    missing = [target for target in local if not (page.parent / target).exists()]
    assert not missing, f"{page.name} links to {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_are_there(page):
    """Configs in commands, and files of this project anywhere."""
    text = page.read_text()
    made_here = named_blocks(text)
    rooms = "conf|tests|datamodules|callbacks|gato_lightning|docs|benchmarks"
    named = set(re.findall(rf"\b(?:{rooms})/[\w./-]+\.\w+", text))
    named |= {word for line in commands(text) for word in line if word.endswith(".yaml")}
    missing = sorted(name for name in named if name not in made_here and not (ROOT / name).exists())
    assert not missing, f"{page.name} names {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_tests_that_are_named_are_there(page):
    source = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", page.read_text())
    missing = [name for name in named if f"def {name}(" not in source]
    assert not missing, f"{page.name} names {missing}"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_settings_that_are_named_are_there(page):
    """`model.config.width`, `data.prompts.length`: in prose and in commands."""
    groups = {
        "model.config": GatoConfig,
        "model.optimizer": OptimizerConfig,
        "data.prompts": PromptSettings,
        "data": MixtureDataModule,
    }
    known = {f"{group}.{name}" for group, owner in groups.items() for name in signature(owner).parameters}
    known |= {f"model.{name}" for name in signature(GatoModule).parameters}
    text = re.sub(r"^```python.*?^```", "", page.read_text(), flags=re.M | re.S)
    other = r"(?!data\.md\b|model\.safetensors\b)"
    named = re.findall(rf"(?<![\w/.]){other}((?:model|data)(?:\.(?:config|optimizer|prompts))?\.[a-z_]+)\b", text)
    missing = sorted(set(named) - known)
    assert not missing, f"{page.name} names {missing}"


def test_the_map_of_rooms_is_complete():
    text = (ROOT / "docs" / "architecture.md").read_text()
    packages = ("gato_lightning", "datamodules", "callbacks")
    rooms = [path.parent.relative_to(ROOT) for package in packages for path in (ROOT / package).rglob("*/__init__.py")]
    missing = sorted(str(room) for room in rooms if f"`{room}`" not in text)
    assert not missing, f"docs/architecture.md has no line for {missing}"


def test_parameter_counts_are_those_that_the_code_gives(monkeypatch, capsys):
    """Runs the block of docs/paper_map.md that counts parameters; each number it prints stands on the page."""
    text = (ROOT / "docs" / "paper_map.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", text, flags=re.M | re.S)
    monkeypatch.chdir(ROOT)
    exec(block, {})
    numbers = re.findall(r"\d[\d,]*\d", capsys.readouterr().out)
    assert len(numbers) > 3
    assert [number for number in numbers if number not in text] == []
