"""Finds the task whose stanza is at fault: the parser checks all of `data.tasks` and does not say which failed."""

import re
from argparse import ArgumentError
from contextlib import suppress
from typing import Any

from jsonargparse import ArgumentParser
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from gato_lightning.cli.config_files import to_yaml
from gato_lightning.errors import UserError, behind, unknown

_OVERRIDE = re.compile(r"--data\.tasks\.(?P<task>[^.=]+)(?P<rest>[^=]*)(?P<value>=.*)?")


def stanzas(config: dict[str, Any]) -> dict[str, Any]:
    """The `data.tasks` of a merged config, with its interpolations filled in as far as the files alone can."""
    filled: Any = config
    # A wrong interpolation is reported by the parser, with its key.
    with suppress(OmegaConfBaseException):
        filled = OmegaConf.to_container(OmegaConf.create(config), resolve=True)
    data = filled.get("data")
    tasks = data.get("tasks") if isinstance(data, dict) else None
    return tasks if isinstance(tasks, dict) else {}


def task_overrides(args: list[str]) -> dict[str, list[str]]:
    """The command line arguments of the form `--data.tasks.NAME...`, by task."""
    found: dict[str, list[str]] = {}
    for number, arg in enumerate(args):
        if match := _OVERRIDE.fullmatch(arg):
            value = [] if match["value"] else args[number + 1 : number + 2]
            found.setdefault(match["task"], []).extend([arg, *value])
    return found


def check_task_names(tasks: dict[str, Any], overrides: dict[str, list[str]]) -> None:
    """Refuses a stanza or an override that has no DataModule: its name is a slip of the pen.

    Raises:
        UserError: With the names that are near; or a name that YAML takes for something else than text.
    """
    for name in tasks:
        if not isinstance(name, str):
            raise UserError(f"data.tasks: {name!r} is no text, expected a name; in quotes, '{name}' is one")
    complete = {name for name, stanza in tasks.items() if isinstance(stanza, dict) and "datamodule" in stanza}
    for name in {**tasks, **overrides}:
        # `--data.tasks.new.datamodule Class`, or `--data.tasks.new {...}` with all of it.
        gives_one = re.compile(rf"--data\.tasks\.{re.escape(name)}(\.datamodule.*|=.*|)")
        given = any(map(gives_one.fullmatch, overrides.get(name, [])))
        if name not in complete and not given and isinstance(tasks.get(name, {}), dict):
            raise UserError(f"{unknown('task', name, complete)} (a new task needs a datamodule)")


def bad_stanza(
    tasks_type: Any, tasks: dict[str, Any], overrides: dict[str, list[str]], instantiate: bool = False
) -> tuple[str, str] | None:
    """Parses the tasks one by one.

    Args:
        tasks_type: The type of the mixture's argument `tasks`.
        tasks: The stanzas of the merged config.
        overrides: The command line arguments, by task.
        instantiate: Whether to make the task's DataModule too.

    Returns:
        The name of the first task that fails, and the message; None where each by itself is right.
    """
    for name in {**tasks, **overrides}:
        parser = ArgumentParser(exit_on_error=False)
        parser.add_argument("--data.tasks", type=tasks_type)
        stanza = to_yaml({name: tasks[name]}) if name in tasks else "{}"
        try:
            config = parser.parse_args(["--data.tasks", stanza, *overrides.get(name, [])])
            if instantiate:
                parser.instantiate(config)
        except (ArgumentError, ValueError) as error:
            if (mistake := behind(error, UserError)) is None and not isinstance(error, ArgumentError):
                raise
            return name, str(mistake or error)
    return None
