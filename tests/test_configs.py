"""Every shipped config parses and builds, alone or behind the main one."""

from pathlib import Path

import pytest
import torch

import run
from datamodules.mixture import MixtureDataModule
from gato_lightning.module import GatoModule
from gato_lightning.trainer import GatoTrainer

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
        monkeypatch.setattr("gato_lightning.module.Gato", lambda config: torch.nn.Linear(1, 1))
    assert set(built(MAIN, overlay)["data"].tasks) >= CONTROL


def test_a_wrong_value_inside_a_group_of_settings_is_told_as_it_was_written(capsys):
    with pytest.raises(SystemExit):
        run.main(["fit", "--config", str(MAIN), "--data.prompts.length", "x"])
    assert capsys.readouterr().err == "error: data.prompts.length: expected int, null, got x\n"
