"""HDF5 files: arrays at any depth, and nothing from elsewhere."""

import h5py
import numpy as np
import pytest

from datamodules.control.recorded.hdf5_files import datasets_in, opened, read_columns
from gato_lightning.errors import UserError


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["secret"] = np.arange(3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x/y"] = np.arange(6).reshape(3, 2)
        file["words"] = ["a", "b", "c"]
        file["scalar"] = 3.0
        file["linked"] = h5py.ExternalLink("other.h5", "secret")
    return tmp_path / "a.h5"


def test_rows_of_arrays_by_their_paths(path):
    with opened(path) as file:
        found = read_columns(file, None, slice(1, 3))
        assert set(found) == {"x/y", "words"}
        np.testing.assert_array_equal(found["x/y"], [[2, 3], [4, 5]])
        assert found["words"] == ["b", "c"]
        assert set(read_columns(file, ["x/y", "linked"])) == {"x/y"}


def test_values_in_other_files_are_refused(path, tmp_path):
    with h5py.File(path, "a") as file:
        layout = h5py.VirtualLayout(shape=(3,), dtype=int)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "secret", shape=(3,))
        file.create_virtual_dataset("virtual", layout)
    with opened(path) as file, pytest.raises(UserError, match="column virtual: its values lie in other files"):
        datasets_in(file)


def test_files_that_cannot_be_read(path, tmp_path):
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(UserError, match=r"a\.h5: cannot be read"), opened(path):
        pass
    with pytest.raises(UserError, match=r"none\.h5: no such file"), opened(tmp_path / "none.h5"):
        pass
