"""Tests stand at the path of what they test."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("gato_lightning", "datamodules", "callbacks")
HELPERS = {"conftest.py", "__init__.py"}


def modules(package: str) -> set[Path]:
    """Paths of a package's modules, without those that only name a package."""
    return {path.relative_to(ROOT) for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_has_its_test_file(package):
    missing = [str(path) for path in modules(package) if not (ROOT / "tests" / path.parent / f"test_{path.name}").exists()]
    assert not missing


@pytest.mark.parametrize("package", PACKAGES)
def test_every_test_file_has_its_module(package):
    tests = (ROOT / "tests" / package).rglob("test_*.py")
    tested = {path.relative_to(ROOT / "tests").with_name(path.name.removeprefix("test_")) for path in tests}
    assert not tested - modules(package)
