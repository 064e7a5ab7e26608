"""The wheel works outside a clone, in an environment that holds nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
uv = shutil.which("uv")


def called(*command: object, folder: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.skipif(uv is None, reason="uv is not here, which builds and installs the wheel")
def test_the_wheel_plays_a_shipped_model(tmp_path):
    called(uv, "build", "--wheel", "--quiet", "--out-dir", tmp_path / "wheel", ROOT, folder=tmp_path)
    called(uv, "venv", "--quiet", "--python", sys.executable, tmp_path / "env", folder=tmp_path)
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    python = tmp_path / "env" / "bin" / "python"
    called(uv, "pip", "install", "--quiet", "--python", python, wheel, folder=tmp_path)
    gato, away = tmp_path / "env" / "bin" / "gato", tmp_path / "away"
    away.mkdir()
    assert "rollout" in called(gato, "--help", folder=away)
    assert "context_length" in called(gato, "fit", "--config", "gato_small.yaml", "--print_config", folder=away)
    played = called(gato, "rollout", "--pretrained", "gato-small", "--tasks", "cartpole", "--episodes", "2", folder=away)
    assert "gato-small.rollout.json" in played
    assert {path.name for path in away.iterdir()} == {"data", *(f"gato-small.rollout.{end}" for end in ("json", "csv", "png"))}
