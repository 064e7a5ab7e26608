"""Which task's stanza is at fault."""

import pytest

from gato_lightning.cli.task_stanzas import bad_stanza, check_task_names, stanzas, task_overrides
from gato_lightning.errors import UserError
from tests.standins import Stanza

TEXT = {"class_path": "tests.standins.TextTask"}
TASKS = dict[str, Stanza]


def test_interpolations_are_filled_in():
    config = {"vars": {"w": 2}, "data": {"tasks": {"a": {"weight": "${vars.w}"}}}}
    assert stanzas(config) == {"a": {"weight": 2}}
    assert stanzas({"data": None}) == {}


def test_a_wrong_interpolation_is_left_for_the_parser():
    assert stanzas({"data": {"tasks": {"a": {"weight": "${nowhere}"}}}}) == {"a": {"weight": "${nowhere}"}}


def test_overrides_are_found_by_task_with_and_without_an_equals_sign():
    args = ["--trainer.max_steps", "3", "--data.tasks.a.weight", "2", "--data.tasks.b={}", "--data.tasks.a.datamodule.limit=1"]
    assert task_overrides(args) == {
        "a": ["--data.tasks.a.weight", "2", "--data.tasks.a.datamodule.limit=1"],
        "b": ["--data.tasks.b={}"],
    }


def test_a_name_without_a_datamodule_is_a_slip():
    tasks = {"cartpole": {"datamodule": TEXT}}
    with pytest.raises(UserError, match="unknown task 'cartpool'; did you mean cartpole"):
        check_task_names(tasks, {"cartpool": ["--data.tasks.cartpool.weight", "2"]})
    check_task_names(tasks, {"new": ["--data.tasks.new.datamodule", "tests.standins.TextTask"]})


def test_the_first_bad_stanza_is_named():
    tasks = {"good": {"datamodule": TEXT}, "bad": {"datamodule": {**TEXT, "init_args": {"limit": "many"}}}}
    name, message = bad_stanza(TASKS, tasks, {})
    assert name == "bad"
    assert "many" in message
    assert bad_stanza(TASKS, {"good": tasks["good"]}, {}) is None


def test_what_fails_only_when_built_is_found_by_building():
    tasks = {"late": {"datamodule": {**TEXT, "init_args": {"fails": "init"}}}}
    assert bad_stanza(TASKS, tasks, {}) is None
    assert bad_stanza(TASKS, tasks, {}, instantiate=True) == ("late", "cannot be built")
