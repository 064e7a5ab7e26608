"""Turns the parser's complaints, which are paragraphs, into one line: the key, what is wrong, what was meant.

jsonargparse reports a mistake in nested classes as nested paragraphs (`Parser key "a": / Problem with given class_path
'B': / Option 'c' is not accepted`). Followed down to the last one they give the whole key and the cause.
"""

import pkgutil
import re
from collections.abc import Iterable
from importlib import import_module

from jsonargparse import ArgumentParser

from gato_lightning.errors import unknown

_KEY = re.compile(r'(?:- )?Parser key "(?P<key>[^"]+)": ?(?P<rest>.*)')
# A value on the command line, on its way to a dataclass.
_NESTED = re.compile(r"NestedArg\(key='[^']*', val='?(.*?)'?\)")
_OWNER = re.compile(r"(?:- )?Problem with given class_path '(?P<path>[^']+)':")


def explain(message: str, options: Iterable[str], task: str | None = None) -> str:
    """Says in one line what the parser says in many.

    Args:
        message: The parser's message.
        options: The names of all settings, such as `"trainer.max_steps"`.
        task: The task whose stanza is at fault, where it is one.
    """
    lines = [_NESTED.sub(r"\1", line.strip()) for line in message.splitlines() if line.strip()]
    keys: list[str] = []
    owner, cause = "", ""
    for number, line in enumerate(lines):
        if found := _OWNER.match(line):
            owner = found["path"]
        elif found := _KEY.match(line):
            keys.append(found["key"])
            cause = found["rest"]
        elif line.startswith("Does not validate against any of the Union subtypes"):
            # Each subtype has its own complaint. If one of them got as far as a class, that is what the user meant.
            if not any(map(_OWNER.match, lines[number:])):
                cause = _wrong_union(lines[number:])
        elif line.startswith(("Subtypes:", "Errors:")):
            continue
        else:
            cause = cause or line
        if cause:
            break
    key = ".".join(keys)
    if task is not None:
        key = key.replace("data.tasks", f"data.tasks.{task}", 1)
    cause = _reword(cause, owner, list(options))
    return f"{key}: {cause}" if key else cause


def _wrong_union(lines: list[str]) -> str:
    subtypes = value = ""
    for line in lines:
        if line.startswith("Subtypes: ["):
            subtypes = line.removeprefix("Subtypes: [").removesuffix("]")
        elif line.startswith("Given value: "):
            value = line.removeprefix("Given value: ")
    return f"Expected a {subtypes}. Got value: {value}"


def _reword(cause: str, owner: str, options: list[str]) -> str:
    """Says what was meant, where that can be guessed, and types as people write them."""
    if found := re.search(r"^Option '([^']+)' is not accepted", cause):
        return str(unknown("key", found[1], _arguments(owner)))
    if found := re.search(r"does not accept option '([^']+)'", cause):
        return _unknown_option(found[1], options)
    if found := re.search(r"^unrecognized arguments: (\S+)", cause):
        return _unknown_option(found[1].partition("=")[0].removeprefix("--"), options)
    if found := re.search(r"^module '([^']+)' has no attribute '([^']+)'", cause):
        classes = [name for name in dir(import_module(found[1])) if name[:1].isupper()]
        return str(unknown(f"class in {found[1]}", found[2], classes))
    if found := re.search(r"^(?:- )?Expected a (?:path but|dot import path string:) (\S+)", cause):
        return f"'{found[1]}' is neither a class nor a file"
    if found := re.search(r"^the following arguments are required: (.+)", cause):
        # The parser puts the subcommand first, which nobody writes in a file.
        return f"missing: {re.sub(r'(fit|validate|test|predict|rollout)[.]', '', found[1])} (is there a --config?)"
    if found := re.search(r"^Expected a (.+)\. Got value: (.*)", cause):
        kinds = re.sub(r"typing\.Annotated\[(\w+), .*?\]", r"\1", found[1])
        kinds = re.sub(r"<class '(?:[\w.]+\.)?(\w+)'>", r"\1", kinds).replace("NoneType", "null")
        kinds = re.sub(r"typing\.Literal\[(.*?)\]", r"\1", kinds)
        return f"expected {kinds}, got {found[2]}"
    if found := re.search(r"^Not a valid subclass of (\w+)\. Got value: (.*)", cause):
        return f"expected the settings of a {found[1]}, got {found[2]}"
    return cause.removeprefix("- ")


def _unknown_option(name: str, options: list[str]) -> str:
    """A slip in the last part of a name is sought among its neighbours, any other one everywhere."""
    group, _, leaf = name.rpartition(".")
    neighbours = [option.rpartition(".")[2] for option in options if option.rpartition(".")[0] == group]
    if group and neighbours:
        return f"{group}: {unknown('key', leaf, neighbours)}"
    return str(unknown("key", name, options))


def _arguments(class_path: str) -> list[str]:
    """The names of what a class takes, found the way the parser finds them (so with those of its bases)."""
    parser = ArgumentParser(exit_on_error=False)
    # The parser has imported the module already, since it knows which of the class's options are wrong.
    return parser.add_class_arguments(pkgutil.resolve_name(class_path), fail_untyped=False)
