"""The table of commands: each is a function whose help can be shown."""

import pkgutil

import pytest

from datamodules.command_line import COMMANDS, main
from tests.tiny_runs import CONFIG_FILE


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_there_and_says_what_it_does(name, capsys):
    assert callable(pkgutil.resolve_name(COMMANDS[name]))
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert name in capsys.readouterr().out


def test_commands_that_need_a_model_are_listed_beside_them(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    for name in ("fit", "prepare", "rollout", "export", *COMMANDS):
        assert name in told


def test_what_lightning_refuses_when_training_begins_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(CONFIG_FILE)
    settings = ["--trainer.limit_val_batches", "1", "--trainer.max_steps", "4", "--trainer.val_check_interval", "100"]
    with pytest.raises(SystemExit):
        main(["fit", "--config", "small.yaml", *settings])
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith("error: trainer: `val_check_interval` (100) must be less than or equal to")
