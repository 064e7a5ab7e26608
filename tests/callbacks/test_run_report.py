"""The report of a run."""

import io

import pytest
from rich.console import Console

from callbacks.run_report import mixture_table

NAMES = {
    "pendulum": "classic-control",
    "metaworld-button-press-topdown": "metaworld",
    "babyai-goto-redball-grey": "babyai",
}


def shown(what, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(what)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
    return [" ".join(line.split()) for line in lines]


@pytest.mark.parametrize("width", [80, 120])
def test_the_mixture_is_whole(width):
    sizes = {"weight": 0.0851, "episodes": 1000, "timesteps": 123456, "tokens": 12345678, "epochs": 1.234}
    rows = [{"task": name, "domain": domain, **sizes} for name, domain in NAMES.items()]
    lines = shown(mixture_table([*rows, {"task": "(padding)", "weight": 0.01}]), width)
    for name, domain in NAMES.items():
        assert domain in lines
        assert f"{name} 0.085 1000 123456 12345678 1.234" in lines
    assert "(padding) 0.010" in lines
