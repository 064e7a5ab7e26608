"""Parquet's columns as arrays, texts and images."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from datamodules.control.recorded.arrow_columns import values_of
from gato_lightning.errors import UserError

HERE = Path("data")
IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, 2]), [1, 2]),
        (pa.array([True, False]), [True, False]),
        (pa.array([[1.5, 2.0], [3.0, 4.0]]), [[1.5, 2.0], [3.0, 4.0]]),
        (pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2)), [[1, 2], [3, 4]]),
        (pa.array([[[1], [2]], [[3], [4]]]), [[[1], [2]], [[3], [4]]]),
        (pa.array([[1, 2], [3, 4], [5, 6]]).slice(1), [[3, 4], [5, 6]]),
        (pa.chunked_array([pa.array([[1.0]]), pa.array([[2.0]])]), [[1.0], [2.0]]),
    ],
)
def test_numbers(column, expected):
    np.testing.assert_array_equal(values_of(column, "x", HERE), expected)


def test_texts_and_images():
    assert values_of(pa.array(["a", "b"]), "x", HERE) == ["a", "b"]
    images = pa.array([{"bytes": b"1", "path": None}, {"bytes": None, "path": "a/1.png"}])
    assert values_of(images, "x", HERE) == [b"1", HERE / "a" / "1.png"]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1, None]), "column x, timestep 1: missing"),
        (pa.array([[1.0, None]]), "column x, timestep 1: missing"),
        (pa.array([[1], [1, 2]]), "column x: lists of 1 to 2 values, expected equal lengths"),
        (pa.array([["a"]]), "column x: lists of string, expected numbers"),
        (pa.array([{"bytes": None, "path": "../1.png"}]), "path '../1.png' leads out of the folder"),
        (
            pa.array([{"bytes": None, "path": None}], pa.struct({"bytes": pa.binary(), "path": pa.string()})),
            "expected an image",
        ),
    ],
)
def test_what_is_wrong_is_told(column, message):
    with pytest.raises(UserError, match=message):
        values_of(column, "x", HERE)
