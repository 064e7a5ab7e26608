"""Configs name tasks and callbacks by `package.Class`, wherever the class is."""

import pkgutil

import pytest
from lightning import Callback

import callbacks
import datamodules
from datamodules.base.task import TaskDataModule
from gato_lightning.common.public_name import public_name

PACKAGES = {datamodules: TaskDataModule, callbacks: Callback}


def classes(package):
    """All classes of a package, imported."""
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        members = vars(pkgutil.resolve_name(found.name)).items()
        yield from (kind for _, kind in members if isinstance(kind, type) and kind.__module__ == found.name)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.__name__)
def test_each_task_and_callback_has_a_public_name(package):
    for kind in classes(package):
        if issubclass(kind, PACKAGES[package]) and not kind.__name__.startswith("_") and kind.__name__ != "HeldOutTextCallback":
            name = public_name(kind)
            assert name == f"{package.__name__}.{kind.__name__}"
            assert pkgutil.resolve_name(name) is kind


def test_other_classes_have_their_full_path():
    class Inside:
        pass

    assert public_name(Inside) == f"{__name__}.test_other_classes_have_their_full_path.<locals>.Inside"
    assert public_name(datamodules.base.stream.Readers) == "datamodules.base.stream.Readers"
