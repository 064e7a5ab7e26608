"""The table of commands: each is a function whose help can be shown."""

import pkgutil

import pytest

from datamodules.command_line import COMMANDS, main


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
