"""Import directions, read off the source: they keep the model free of tasks and each suite replaceable."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# folder or file -> packages of this project that it may import
ALLOWED = {
    "gato_lightning": {"gato_lightning"},
    "datamodules": {"gato_lightning", "datamodules"},
    "callbacks": {"gato_lightning", "callbacks"},
    "run.py": {"gato_lightning", "datamodules"},
}

# Lowest layer first: a file imports nothing from a higher layer. Files that are not named are in no order.
LAYERS = [
    {"errors"},
    {"vocabulary", "batch"},
    {"timestep"},
    {"sequence", "embedding"},
    {"transformer"},
    {"model"},
    {"module", "policy"},
    {"cli"},
]


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


def test_layers_of_the_core_look_down_only():
    level = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    for path in files("gato_lightning"):
        for name in imported(path):
            _, _, other = name.partition("gato_lightning.")
            higher = level.get(other, -1) > level.get(path.stem, len(LAYERS))
            assert not higher, f"{path.stem} imports {other}, which is above it"


def test_the_core_has_no_import_cycle():
    graph = {
        path.stem: {name.removeprefix("gato_lightning.").split(".")[0] for name in imported(path) if "gato_l" in name}
        for path in files("gato_lightning")
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' -> '.join((*trail[trail.index(name) :], name))}"
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_no_test_of_this_file_passes_for_want_of_files():
    assert all(files(place) for place in ALLOWED)
    assert "gato_lightning.cli.main" in imported(ROOT / "run.py")
