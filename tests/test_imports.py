"""Import directions, read off the source: they keep the model free of tasks and each suite replaceable."""

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# folder or file -> packages of this project that it may import
ALLOWED = {
    "gato_lightning": {"gato_lightning"},
    "datamodules": {"gato_lightning", "datamodules"},
    "callbacks": {"gato_lightning", "callbacks"},
    "run.py": {"datamodules"},
}

# The rooms of each package, lowest first: a room imports itself and those before it.
ROOMS = {
    "gato_lightning": [
        *("errors", "common", "tokens", "sequences", "model", "acting", "serving", "evaluation", "training"),
        "cli",
    ],
    "datamodules": ["base", "readers", "text", "vision", "control", "collecting", "mixture", "command_line"],
    "callbacks": [
        "scoring",
        *("captioning_metrics", "rollout_evaluation", "text_loss", "text_samples", "throughput"),
        "run_report",
    ],
}


def files(place: str) -> list[Path]:
    path = ROOT / place
    return [path] if path.is_file() else sorted(path.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The modules that a file imports anywhere, relative imports written out."""
    found: set[str] = set()
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            found.add(".".join((*base, *([node.module] if node.module else []))))
            found |= {".".join((*base, *([node.module] if node.module else []), alias.name)) for alias in node.names}
    return found


@pytest.mark.parametrize("place", ALLOWED)
def test_rooms_are_entered_by_their_doors_only(place):
    rooms = {"gato_lightning", "datamodules", "callbacks", "tests", "benchmarks", "run"}
    for path in files(place):
        wrong = {name for name in imported(path) if name.split(".")[0] in rooms - ALLOWED[place]}
        assert not wrong, f"{path.relative_to(ROOT)} imports {sorted(wrong)}"


def module(path: Path) -> str:
    """The dotted name of a file; a package's own for its `__init__.py`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@pytest.mark.parametrize("package", ROOMS)
def test_rooms_look_down_only(package):
    level = {room: number for number, room in enumerate(ROOMS[package])}
    for path in files(package):
        own = module(path).split(".")[1:2]
        for name in imported(path):
            inside, _, other = name.partition(f"{package}.")
            if own and not inside and other:
                above = level[other.split(".")[0]] > level[own[0]]
                assert not above, f"{path.relative_to(ROOT)} imports {name}, which is above it"


@pytest.mark.parametrize("package", ROOMS)
def test_every_room_has_its_place(package):
    found = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - {"__init__"} == set(ROOMS[package])


@pytest.mark.parametrize("package", ["gato_lightning", "datamodules", "callbacks"])
def test_no_package_has_an_import_cycle(package):
    modules = {module(path): path for path in files(package)}
    graph = {name: (imported(path) & modules.keys()) - {name, package} for name, path in modules.items()}
    try:
        list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_no_test_of_this_file_passes_for_want_of_files():
    assert all(files(place) for place in ALLOWED)
    assert "datamodules.command_line" in imported(ROOT / "run.py")
