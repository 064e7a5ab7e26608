import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from datamodules.collecting.collect_command import collect
from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.common.outputs import remove_leftovers, whole_file
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


def test_a_file_takes_the_place_of_the_old_one_when_it_is_whole(tmp_path):
    path = tmp_path / "scores.json"
    path.write_text("old")
    with whole_file(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
        assert partial.parent == tmp_path
    assert path.read_text() == "new"
    with pytest.raises(UnicodeEncodeError), whole_file(path) as partial:
        partial.write_text("half \N{EM DASH}", encoding="ascii")
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("scores.json", "new")]


WRITES = """
import sys, time
from pathlib import Path
from gato_lightning.common.outputs import whole_file
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    print("written", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_process_left_is_removed_and_what_another_still_writes_is_not(tmp_path):
    path = tmp_path / "last.ckpt"
    path.write_text("old")
    with subprocess.Popen([sys.executable, "-c", WRITES, str(path)], stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        writing.stdout.readline()
        [partial] = set(tmp_path.iterdir()) - {path}
        remove_leftovers(tmp_path)
        assert partial.exists()
        os.kill(writing.pid, signal.SIGKILL)
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old"
