"""Configuration files, merged before the parser sees them.

LightningCLI reads several `--config` files one after the other, and a dictionary in a later file replaces the one
before: a second file that adds a task would silently drop the tasks of the first. Here they are merged into one:

- dictionaries merge key by key, anything else is replaced;
- a node whose `class_path` changes is replaced as a whole, since its old arguments belong to another class;
- `key+: [...]` appends to the list of the earlier files, `key=: ...` replaces a dictionary instead of merging into it.
"""

import re
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import yaml

from gato_lightning.errors import UserError, did_you_mean


class _Loader(yaml.SafeLoader):
    """Reads YAML; refuses a key given twice, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            # `<<` merges an anchor and may come more than once.
            if isinstance(key_node, yaml.ScalarNode) and key_node.value != "<<":
                key = key_node.value
                if key in seen:
                    raise yaml.MarkedYAMLError(problem=f"key '{key}' twice", problem_mark=key_node.start_mark)
                seen.add(key)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Writes what `_Loader` reads."""

    def ignore_aliases(self, data: Any) -> bool:
        return True  # an anchor in the input must not turn into `&id001` in the config shown to people


for _class in (_Loader, _Dumper):
    # YAML 1.1 takes `1e-3` for a string; people, and jsonargparse, take it for a number.
    _class.add_implicit_resolver(
        "tag:yaml.org,2002:float",
        re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"),
        list("-+0123456789"),
    )


SHIPPED = Path(__file__).parents[1] / "conf"  # in a clone, a link to the folder at its top


def find_config(path: str) -> Path:
    """Returns the file of that path; where there is none, that of the package, with or without `conf/` in front."""
    name = Path(path).relative_to("conf") if Path(path).parts[:1] == ("conf",) else Path(path)
    return SHIPPED / name if not Path(path).exists() and (SHIPPED / name).is_file() else Path(path)


def read_config(path: str) -> dict[str, Any]:
    """Reads one YAML file; every mistake is a `UserError` that names the file and, where there is one, the line."""
    try:
        content = yaml.load(find_config(path).read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        shipped = (str(file.relative_to(SHIPPED)) for file in SHIPPED.rglob("*.yaml"))
        hint = did_you_mean(path, [*map(str, Path(path).parent.glob("*.yaml")), *shipped])
        raise UserError(f"config file {path} does not exist{hint}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file") from None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UserError(f"{path}{line}: {error.problem}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"{path}: expected settings as 'key: value', found a {type(content).__name__}")
    return content


def merge(base: dict[str, Any], overlay: dict[str, Any]) -> dict[str, Any]:
    """Returns `base` with `overlay` laid over it, by the rules at the top of this file."""
    if "class_path" in overlay and "class_path" in base and overlay["class_path"] != base["class_path"]:
        base = {}
    merged = dict(base)
    for key, value in overlay.items():
        name = str(key)
        if name.endswith("="):
            merged[name[:-1]] = _plain(value)
        elif name.endswith("+"):
            merged[name[:-1]] = [*_as_list(merged.get(name[:-1])), *_as_list(_plain(value))]
        elif isinstance(value, dict):
            earlier = merged.get(key)
            merged[key] = merge(earlier if isinstance(earlier, dict) else {}, value)
        else:
            merged[key] = _plain(value)
    return merged


def _plain(value: Any) -> Any:
    """Applies the key suffixes inside a value that takes part in no merge."""
    if isinstance(value, dict):
        return merge({}, value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def read_config_files(
    paths: list[str], expand: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: data
) -> dict[str, Any]:
    """Reads and merges the files, a later one laid over the earlier ones.

    Args:
        paths: of the files.
        expand: writes out what a file says in short of `data`.
    """
    merged: dict[str, Any] = {}
    for path in paths:
        config = read_config(path)
        if isinstance(config.get("data"), dict):
            config["data"] = expand(config["data"])
        merged = merge(merged, config)
    return merged


def to_yaml(config: dict[str, Any]) -> str:
    """Writes a config as YAML, keys in their order."""
    return yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


def split_config_args(args: list[str]) -> tuple[list[str], list[str]]:
    """Takes the `--config FILE`, `--config=FILE` and `-c FILE` out of command line arguments.

    Returns:
        The files, and the other arguments.
    """
    paths: list[str] = []
    rest: list[str] = []
    pending = iter(args)
    for arg in pending:
        name, equals, value = arg.partition("=")
        if name not in ("--config", "-c"):
            rest.append(arg)
            continue
        path = value if equals else next(pending, "")
        if not path or path.startswith("--"):
            raise UserError(f"{name} needs a file")
        paths.append(path)
    return paths, rest
