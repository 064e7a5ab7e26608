"""Splits of data sets by their names."""

from pathlib import Path

import pytest

from datamodules.control.recorded.recording import Recording, split_of


@pytest.mark.parametrize(
    ("name", "names", "expected"),
    [
        ("train", ["train", "test"], "train"),
        ("expert", ["expert"], "train"),
        ("val", ["train", "val"], "val"),
        ("validation", ["train", "validation", "test"], "val"),
        ("test", ["train", "test"], "val"),
        ("test", ["train", "valid", "test"], None),
    ],
)
def test_the_test_split_is_held_out_where_no_other_one_is(name, names, expected):
    assert split_of(name, names) == expected


def test_a_recording_is_named_by_its_file_and_by_its_place_there():
    assert str(Recording(Path("a.hdf5"), "demo_3")) == "a.hdf5, demo_3"
    assert str(Recording(Path("a.npz"))) == "a.npz"
