"""Tables of scores."""

import io

import pytest
from rich.console import Console

from gato_lightning.evaluation.published import PUBLISHED
from gato_lightning.evaluation.report import score_tables
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore

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


def scores() -> list[TaskScore]:
    failed = EpisodeResult(20, None, 3, failure="KeyError: 3")
    played = [EpisodeResult(seed, -1217.82 + seed, 5) for seed in range(20)]
    return [TaskScore(name, domain, -148.28, -1217.82, [*played, failed]) for name, domain in NAMES.items()]


@pytest.mark.parametrize("width", [80, 120])
def test_scores_are_whole(width):
    lines = shown(score_tables(scores()), width)
    for name in NAMES:
        assert f"{name} 20 -1208.32 -1217.82 -148.28 0.01" in lines
        assert f"{name}: 1 failed, the first: seed 20: KeyError: 3" in lines
    assert "metaworld 1 0 0 0.01 [0.01, 0.01]" in lines
    known = [one for one in PUBLISHED if one.domain in {"all", *NAMES.values()}]
    assert len(known) == 7
    for one in known:
        assert f"{one.domain} {one.system} {one.measure} {one.value}" in lines
    assert not any("atari" in line for line in lines)


def test_where_the_terminal_is_narrower_names_are_folded_and_numbers_are_not():
    lines = shown(score_tables(scores()), 60)
    assert any(line.endswith("20 -1208.32 -1217.82 -148.28 0.01") for line in lines)
