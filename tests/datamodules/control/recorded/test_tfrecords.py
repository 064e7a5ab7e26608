"""TFRecord files: each record by its place; damaged and broken ones."""

import struct

import numpy as np
import pytest
from tfrecord.reader import tfrecord_loader
from tfrecord.writer import TFRecordWriter

from datamodules.control.recorded.tfrecords import offsets, read_record
from gato_lightning.errors import UserError


@pytest.fixture
def path(tmp_path):
    writer = TFRecordWriter(str(tmp_path / "a.tfrecord"))
    for number in range(4):
        values = {"x": ([0.5, number], "float"), "n": ([number, -3], "int"), "b": ([b"\x00\xff", b""], "byte")}
        writer.write(values)
    writer.close()
    return tmp_path / "a.tfrecord"


def test_records_are_those_that_the_package_reads(path):
    found = [read_record(path, offset) for offset in offsets(path)]
    assert len(found) == 4
    for number, (ours, theirs) in enumerate(zip(found, tfrecord_loader(str(path), None), strict=True)):
        np.testing.assert_array_equal(ours["x"], theirs["x"])
        np.testing.assert_array_equal(ours["n"], [number, -3])
        assert ours["b"] == [b"\x00\xff", b""]


def test_a_damaged_record_alone_is_lost(path):
    places = list(offsets(path))
    raw = bytearray(path.read_bytes())
    raw[places[1] + 20] ^= 1
    path.write_bytes(raw)
    assert list(offsets(path)) == places
    with pytest.raises(UserError, match=r"damaged \(checksum\)"):
        read_record(path, places[1])
    assert read_record(path, places[2])["n"].tolist() == [2, -3]


@pytest.mark.parametrize("cut", [1, 5, 30, -1])
def test_a_file_that_breaks_off_ends_with_a_broken_record(path, cut):
    places = list(offsets(path))
    whole = path.read_bytes()
    path.write_bytes(whole[: places[3] + 6] if cut == -1 else whole[:-cut])
    assert list(offsets(path)) == places
    with pytest.raises(UserError, match="the file breaks off in it"):
        read_record(path, places[3])


def test_a_damaged_length_is_never_believed(path):
    places = list(offsets(path))
    raw = bytearray(path.read_bytes())
    raw[places[2] : places[2] + 8] = struct.pack("<Q", 2**62)
    path.write_bytes(raw)
    assert list(offsets(path)) == places[:3]
    with pytest.raises(UserError, match=r"its length is damaged \(checksum\)"):
        read_record(path, places[2])
