"""A config of an earlier version, which names classes by their files, is told the names of today."""

import pytest

from gato_lightning.cli.class_paths import check_class_paths
from gato_lightning.errors import UserError


def config(class_path):
    return {"data": {"tasks": {"mine": {"datamodule": {"class_path": class_path}}}}, "trainer": {"callbacks": []}}


@pytest.mark.parametrize(
    "class_path",
    [
        "datamodules.BabyAIDataModule",
        "datamodules.control.babyai.BabyAIDataModule",  # the file of today
        "my_package.mine.MyDataModule",  # told by the parser
        "datamodules.babyai.NoSuchClass",
        "..",
        "Timer",
    ],
)
def test_other_names_are_left_to_the_parser(class_path):
    check_class_paths(config(class_path))


@pytest.mark.parametrize(
    ("class_path", "message"),
    [
        (
            "datamodules.babyai.BabyAIDataModule",
            "class_path datamodules.babyai.BabyAIDataModule: there is no module datamodules.babyai; "
            "the class is datamodules.BabyAIDataModule",
        ),
        ("datamodules.gone.deeper.VqaDataModule", "the class is datamodules.VqaDataModule"),
    ],
)
def test_a_class_in_a_file_that_moved_is_named(class_path, message):
    with pytest.raises(UserError, match=message):
        check_class_paths(config(class_path))


def test_callbacks_are_looked_at_too():
    moved = {"trainer": {"callbacks": [{"class_path": "callbacks.rollouts.RolloutEvaluation"}]}}
    with pytest.raises(UserError, match=r"the class is callbacks\.RolloutEvaluation"):
        check_class_paths(moved)
