"""Classes that a config names by the file they used to be in: the public name stays when files move."""

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from gato_lightning.errors import UserError


def check_class_paths(config: dict[str, Any]) -> None:
    """Checks that no class of a config is named by a module that is gone.

    Args:
        config: a merged config.

    Raises:
        UserError: if a module does not exist and its package has a public class of that name; names it.
    """
    for path in _class_paths(config):
        package, _, rest = path.partition(".")
        module, _, name = path.rpartition(".")
        if "." in rest and not _exists(module) and _exists(package) and hasattr(import_module(package), name):
            raise UserError(f"class_path {path}: there is no module {module}; the class is {package}.{name}")


def _class_paths(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(path := node.get("class_path"), str):
            yield path
        node = list(node.values())
    if isinstance(node, list):
        for one in node:
            yield from _class_paths(one)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):  # of a parent that is gone, or no name of a module
        return False
