"""Commands that are functions: signatures are parsers, docstrings the help."""

import pytest

from gato_lightning.cli.commands import call
from gato_lightning.errors import UserError

called: list[tuple] = []


def command(texts: list[str], size: int = 3, loud: bool = False) -> None:
    """Does nothing.

    Args:
        texts: What to read.
        size: How many.
        loud: Whether it is loud.
    """
    called.append((texts, size, loud))


HERE = f"{__name__}:command"


def test_parameters_become_words_options_and_flags():
    call(HERE, ["command", "a", "b", "--size", "5", "--loud"])
    assert called.pop() == (["a", "b"], 5, True)
    call(HERE, ["command", "a", "--loud", "--size=4"])
    assert called.pop() == (["a"], 4, True)


def test_help_is_the_docstring(capsys):
    with pytest.raises(SystemExit):
        call(HERE, ["command", "--help"])
    told = capsys.readouterr().out
    assert "What to read." in told
    assert "How many." in told


@pytest.mark.parametrize(
    ("args", "message"), [(["a", "--sise", "3"], "did you mean size"), (["a", "--size", "x"], "size: .*x")]
)
def test_a_mistake_is_one_line(args, message):
    with pytest.raises(UserError, match=message) as told:
        call(HERE, ["command", *args])
    assert "\n" not in str(told.value)
    assert not called
