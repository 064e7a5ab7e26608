"""Names of classes, as configs, stores and data sets keep them."""

import pkgutil

import datamodules
from datamodules.base.task import TaskDataModule
from gato_lightning.common.public_name import public_name
from gato_lightning.model.gato import Gato


def test_an_exported_class_has_a_short_name_that_leads_back():
    kind = datamodules.BabyAIDataModule
    assert public_name(kind) == "datamodules.BabyAIDataModule"
    assert pkgutil.resolve_name(public_name(kind)) is kind


def test_any_other_class_has_its_full_path():
    assert public_name(Gato) == "gato_lightning.model.gato.Gato"

    class Own(TaskDataModule):
        pass

    assert public_name(Own).endswith("test_any_other_class_has_its_full_path.<locals>.Own")
