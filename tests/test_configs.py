"""Every shipped config parses and builds, alone or behind the main one."""

from pathlib import Path

import pytest
import torch
import yaml

import run
from datamodules.mixture import MixtureDataModule
from gato_lightning.training.module import GatoModule
from gato_lightning.training.trainer import GatoTrainer

CONF = Path(__file__).parents[1] / "conf"
MAIN = CONF / "gato_small.yaml"
OVERLAYS = sorted(path for path in CONF.rglob("*.yaml") if path != MAIN)

# The main job's list (see the README's table); none may be dropped.
CONTROL = {
    *("cartpole", "acrobot", "mountaincar", "pendulum", "lunarlander", "taxi", "frozenlake"),
    *(
        f"metaworld-{name}"
        for name in ("reach", "drawer-close", "drawer-open", "button-press-topdown", "window-open", "door-open")
    ),
    *(f"babyai-{name}" for name in ("goto-obj", "goto-redball-grey", "goto-local", "open-door", "pickup-loc")),
}


@pytest.fixture
def built(monkeypatch):
    """Runs the command line up to the point where `fit` would begin; gives what was built."""
    seen: dict[str, object] = {}

    def fit(self, model, datamodule=None, **_kwargs) -> None:
        seen.update(trainer=self, model=model, data=datamodule)

    monkeypatch.setattr(GatoTrainer, "fit", fit)

    def build(*configs: Path) -> dict[str, object]:
        args = [part for path in configs for part in ("--config", str(path))]
        run.main(["fit", *args, "--trainer.logger", "false"])
        return seen

    return build


def test_the_main_config_has_every_task(built):
    parts = built(MAIN)
    assert isinstance(parts["model"], GatoModule)
    data = parts["data"]
    assert isinstance(data, MixtureDataModule)
    assert CONTROL | {"captions", "vqa", "text"} <= set(data.tasks)
    assert data.context_length == parts["model"].config.context_length


@pytest.mark.parametrize("overlay", OVERLAYS, ids=lambda path: str(path.relative_to(CONF)))
def test_overlays_build_behind_the_main_config(built, overlay, monkeypatch):
    # Building the larger models takes memory and time, and their sizes are tested elsewhere.
    if "model" in overlay.parts:
        monkeypatch.setattr("gato_lightning.training.module.Gato", lambda config: torch.nn.Linear(1, 1))
    assert set(built(MAIN, overlay)["data"].tasks) >= CONTROL


def test_a_wrong_value_inside_a_group_of_settings_is_told_as_it_was_written(capsys):
    with pytest.raises(SystemExit):
        run.main(["fit", "--config", str(MAIN), "--data.prompts.length", "x"])
    assert capsys.readouterr().err == "error: data.prompts.length: expected int, null, got x\n"


ONE_TASK = """
trainer: {max_steps: 1, logger: false, enable_checkpointing: false, accelerator: cpu}
model: {config: {width: 16, depth: 1, heads: 1, head_size: 8, feedforward: 16, context_length: 32, patch_channels: 32}}
data:
  tasks:
    lake:
      datamodule:
        class_path: datamodules.ToyTextDataModule
        init_args: {env_id: FrozenLake-v1, episodes: 2, val_episodes: 1, reference_episodes: 2}
"""


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("--model.config.heads=0", "GatoConfig.heads: 0, expected a whole number, 1 or more"),
        ("--model.config.head_size=31", "GatoConfig.head_size: 31, expected a whole number, 2 or more and a multiple of 2"),
        (
            "--model.config.patch_channels=33",
            "GatoConfig.patch_channels: 33, expected a whole number, 32 or more and a multiple of 32",
        ),
        ("--model.config.patch_stride=3", "model.config.patch_stride: expected 1, 2, 4, 8, got 3"),
        ("--model.optimizer.learning_rate=0", "OptimizerConfig.learning_rate: 0.0, expected a number, above 0"),
        ("--data.batch_size=0", "MixtureDataModule.batch_size: 0, expected a whole number, 1 or more"),
        ("--data.workers=-1", "MixtureDataModule.workers: -1, expected a whole number, 1 or more"),
        ("--data.prompts.length=-4", "PromptSettings.length: -4, expected a whole number, 1 or more"),
        ("--data.prompts.probability=2", "PromptSettings.probability: 2.0, expected a number, 0 or more and at most 1"),
        ("--data.tasks.lake.weight=-1", "task 'lake': TaskSpec.weight: -1.0, expected a number, 0 or more"),
        (
            "--data.tasks.lake.datamodule.init_args.noise=-1",
            "task 'lake': ToyTextDataModule.noise: -1.0, expected a number, 0 or more",
        ),
        (
            "--data.tasks.lake.datamodule={class_path: datamodules.CaptionFilesDataModule, "
            "init_args: {train: x.json, images: {height: 3}}}",
            "task 'lake': ImageSettings.height: 3, expected a whole number, 16 or more",
        ),
        (
            "--data.tasks.lake.datamodule.init_args.reference_episodes=0",
            "task 'lake': ToyTextDataModule.reference_episodes: 0, expected a whole number, 1 or more",
        ),
        (
            "--trainer.callbacks+={class_path: callbacks.RolloutEvaluation, init_args: {acting: {temperature: -1}}}",
            "ActingSettings.temperature: -1.0, expected a number, 0 or more",
        ),
        (
            "--trainer.callbacks+={class_path: callbacks.Throughput, init_args: {every_n_steps: 0}}",
            "Throughput.every_n_steps: 0, expected a whole number, 1 or more",
        ),
    ],
)
def test_a_number_outside_its_range_is_one_line(tmp_path, monkeypatch, capsys, override, line):
    monkeypatch.chdir(tmp_path)
    Path("one.yaml").write_text(ONE_TASK)
    with pytest.raises(SystemExit):
        run.main(["fit", "--config", "one.yaml", override])
    error = capsys.readouterr().err.strip()
    assert error.removeprefix("error: ").removeprefix("trainer: ") == line


def test_help_and_printed_settings_show_ranges_and_plain_defaults(capsys):
    with pytest.raises(SystemExit):
        run.main(["fit", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "--data.batch_size BATCH_SIZE number of sequences per step and rank, 1 or more. "
        "(type: Annotated[int, 1 or more], default: 8)" in shown
    )
    with pytest.raises(SystemExit):
        run.main(["fit", "--config", str(MAIN), "--print_config"])
    printed = yaml.safe_load(capsys.readouterr().out)
    assert printed["model"]["optimizer"]["betas"] == [0.9, 0.99]
    assert printed["data"]["prompts"]["probability"] == 0.25
