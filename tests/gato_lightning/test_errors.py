"""Errors in one line, with near names."""

import pytest

from gato_lightning.errors import UserError, behind, did_you_mean, said, unknown


def test_a_near_name_is_meant_and_poor_guesses_are_left_out():
    assert str(unknown("task", "cartpool", ["cartpole", "acrobot"])) == "unknown task 'cartpool'; did you mean cartpole?"
    assert did_you_mean("zzz", ["cartpole"]) == ""


def test_without_a_near_name_the_first_known_ones_are_listed():
    told = str(unknown("task", "zzz", [f"t{i:02d}" for i in range(20)]))
    assert told.endswith("t11 and 8 more")
    assert str(unknown("task", "zzz", [])).endswith("known: none")


def test_the_type_is_told_of_errors_that_were_not_written_for_the_user():
    assert said(UserError("two\n  lines")) == "two lines"
    assert said(KeyError("x")) == "KeyError: 'x'"


def test_the_users_mistake_is_found_behind_others():
    mistake = UserError("wrong")
    outer = ValueError("outer")
    outer.__cause__ = mistake
    assert behind(outer, UserError) is mistake
    assert behind(ValueError(), UserError) is None
    assert behind(None, UserError) is None
    assert behind(outer, ModuleNotFoundError) is None


@pytest.mark.parametrize("value", ["cartpole", "acrobot"])
def test_a_known_name_is_its_own_best_guess(value):
    assert value in did_you_mean(value, ["cartpole", "acrobot"])
