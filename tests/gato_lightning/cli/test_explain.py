"""The parser's paragraphs in one line; the messages are those of the pinned jsonargparse."""

from dataclasses import dataclass
from typing import Annotated, Literal

import pytest
from jsonargparse import ArgumentError, ArgumentParser

from gato_lightning.cli.explain import explain


class Base:
    """A base."""


class Part(Base):
    """A part.

    Args:
        size: its size.
    """

    def __init__(self, size: int = 1, kind: Literal["a", "b"] = "a", share: Annotated[float, "any"] = 0.5) -> None:
        self.size, self.kind, self.share = size, kind, share


@dataclass
class Sizes:
    """Sizes.

    Args:
        width: a width.
    """

    width: int = 4


def complaint(*args: str) -> str:
    """What is told of a command line."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--model.part", type=Base)
    parser.add_argument("--model.sizes", type=Sizes, default=Sizes())
    parser.add_argument("--model.count", type=int | None)
    with pytest.raises(ArgumentError) as failed:
        parser.parse_args(list(args))
    return explain(str(failed.value), parser.get_defaults().keys())


PART = f"{{class_path: {__name__}.Part, init_args: {{ARGS}}}}"


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--model.part", PART.replace("ARGS", "sise: 3")], "model.part: unknown key 'sise'; did you mean size?"),
        (["--model.part", PART.replace("ARGS", "size: big")], "model.part.size: expected int, got big"),
        (["--model.part", PART.replace("ARGS", "kind: c")], "model.part.kind: expected 'a', 'b', got c"),
        (["--model.part", f"{__name__}.Prat"], "model.part: unknown class in tests.gato_lightning.cli.test_explain 'Prat'"),
        (["--model.sizes.widht", "3"], "model.sizes: unknown key 'widht'; did you mean width?"),
        (["--model.count", "many"], "model.count: expected int, null, got many"),
    ],
)
def test_a_mistake_is_told_by_key_cause_and_near_name(args, told):
    found = complaint(*args)
    assert told in found
    assert "\n" not in found


def test_the_task_is_named_behind_its_group():
    message = 'Parser key "data.tasks":\n  Parser key "datamodule":\n    Expected a int. Got value: x'
    assert explain(message, [], task="cartpole").startswith("data.tasks.cartpole.datamodule: ")
