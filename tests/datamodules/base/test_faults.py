"""Faults are listed, counted, and end a run where they are too many."""

import logging

import pytest

from datamodules.base.faults import Fault, check_faults
from gato_lightning.errors import UserError

FAULTS = [Fault("file a, line 1: no text"), Fault("file b: broken", examples=3)]


def test_few_are_told_and_all_are_listed(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        check_faults("t", "train", FAULTS, good=36, allowed=0.1, listing=tmp_path / "deeper" / "faults.txt")
    assert "task t: 4 of 40 train examples are faulty and left out" in caplog.text
    assert (tmp_path / "deeper" / "faults.txt").read_text() == "file a, line 1: no text\nfile b: broken\n"


def test_a_larger_share_ends_the_run(tmp_path):
    with pytest.raises(UserError, match=r"4 of 39 .*more than the share of 0\.1 \(max_faults\): file a"):
        check_faults("t", "train", FAULTS, good=35, allowed=0.1, listing=tmp_path / "faults.txt")


def test_nothing_left_ends_the_run_whatever_is_allowed(tmp_path):
    with pytest.raises(UserError, match="4 of 4 val episodes are faulty"):
        check_faults("t", "val", FAULTS, good=0, allowed=1.0, listing=tmp_path / "faults.txt", unit="episodes")


def test_without_faults_nothing_is_written(tmp_path):
    check_faults("t", "train", [], good=0, allowed=0.0, listing=tmp_path / "faults.txt")
    assert not list(tmp_path.iterdir())
