from pathlib import Path

import pytest

from datamodules.collecting.collect_command import collect
from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.errors import UserError
from gato_lightning.evaluation.report_page import report
from gato_lightning.tokens.tokenizer_training import train_tokenizer


def prepare(path: Path) -> None:
    task = ClassicControlDataModule(env_id="CartPole-v1", episodes=1)
    MixtureDataModule({"cartpole": TaskSpec(task)}, context_length=64, cache_dir=str(path), workers=1).prepare_data()


@pytest.mark.parametrize(
    ("work", "option", "what"),
    [
        (lambda path: report(["no-such-run"], str(path)), "--output", "is a folder"),
        (lambda path: train_tokenizer([Path("no-such-text")], path), "--output", "is a folder"),
        (lambda path: collect(tasks="cartpole", out=str(path / "file")), "--out", "file is a file, expected a folder"),
        (lambda path: prepare(path / "file" / "data"), "data.cache_dir", "file is a file, expected a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_work(tmp_path, work, option, what):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=f"^{option} {tmp_path}.*: {tmp_path}.*{what}"):
        work(tmp_path)
