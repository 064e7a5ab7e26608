"""The precision is that which suits the machine: with bf16 instructions and without, and the user is told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.plugins.precision import MixedPrecision

from gato_lightning.model import precision
from gato_lightning.model.precision import arithmetic, choose_precision
from gato_lightning.training.trainer import GatoTrainer

ROOT = Path(__file__).parents[3]
OLDER = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}


def factor(monkeypatch, value):
    monkeypatch.setattr(precision, "bf16_factor", lambda: value)


@pytest.mark.parametrize(("measured", "chosen"), [(0.2, "bf16-mixed"), (14.0, "32-true")])
def test_auto_takes_the_faster_one(monkeypatch, measured, chosen):
    factor(monkeypatch, measured)
    trainer = GatoTrainer(accelerator="cpu", logger=False)
    assert trainer.precision == chosen
    assert f"{measured:.2g} times" in str(trainer.precision_choice)
    with arithmetic("cpu"):
        assert torch.is_autocast_enabled("cpu") == (chosen == "bf16-mixed")


def test_bf16_by_name_is_kept_with_a_warning_where_it_is_slow(monkeypatch):
    factor(monkeypatch, 14.0)
    with pytest.warns(UserWarning, match="bf16-mixed.* 14 times"):
        trainer = GatoTrainer(accelerator="cpu", precision="bf16-mixed", logger=False)
    assert trainer.precision == "bf16-mixed"


@pytest.mark.filterwarnings("error:trainer.precision")
@pytest.mark.parametrize(("asked", "measured"), [("bf16-mixed", 0.2), ("32-true", 14.0), ("64", 14.0)])
def test_no_warning_without_reason(monkeypatch, asked, measured):
    factor(monkeypatch, measured)
    assert choose_precision(asked, "cpu").precision == asked


def test_a_plugin_is_kept():
    trainer = GatoTrainer(accelerator="cpu", plugins=[MixedPrecision("bf16-mixed", "cpu")], logger=False)
    assert (trainer.precision, trainer.precision_choice.why) == ("bf16-mixed", "a plugin's")


def test_a_cpu_without_bf16_instructions_computes_in_fp32():
    code = "from gato_lightning.model.precision import suitable_precision; print(suitable_precision('cpu'))"
    ran = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **OLDER}, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("32-true (a matrix product in bf16 takes")
