"""Commands that are plain functions: their signatures are their options, their docstrings the help."""

import inspect
import pkgutil
from argparse import ArgumentError
from typing import get_args, get_origin, get_type_hints

from docstring_parser import parse
from jsonargparse import ArgumentParser

from gato_lightning.cli.explain import explain
from gato_lightning.errors import UserError


def call(path: str, args: list[str]) -> None:
    """Calls a function with what stands on the command line.

    Parameters without a default are positional, one of a list takes one or several words; the others are options, and flags
    where they are bool.

    Args:
        path: of the function, `module:name`.
        args: the command line, from the command's name on.

    Raises:
        UserError: the command line does not fit the function.
    """
    function = pkgutil.resolve_name(path)
    parser = ArgumentParser(prog=f"run.py {args[0]}", exit_on_error=False, allow_abbrev=False)
    parameters, hints = inspect.signature(function).parameters, get_type_hints(function)
    help_of = {one.arg_name: one.description for one in parse(function.__doc__ or "").params}
    required = [name for name, one in parameters.items() if one.default is one.empty and one.kind is not one.VAR_KEYWORD]
    for name in required:
        several = get_origin(hints[name]) is list
        kind = get_args(hints[name])[0] if several else hints[name]
        parser.add_argument(name, type=kind, nargs="+" if several else None, metavar=name.upper(), help=help_of[name])
    parser.add_function_arguments(function, skip=set(required))
    flags = {f"--{name}" for name in parameters if hints.get(name) is bool}
    try:
        options = parser.parse_args([f"{arg}=true" if arg in flags else arg for arg in args[1:]])
    except ArgumentError as error:
        raise UserError(explain(str(error), parser.get_defaults().keys())) from error
    function(**options.as_dict())
