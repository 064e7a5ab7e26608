"""Pretrained folders: written, found, and refused where they are damaged."""

import json

import pytest
import torch

from gato_lightning.errors import UserError
from gato_lightning.model.pretrained import SETTINGS, WEIGHTS, find, read_settings, read_weights, shipped, write_pretrained


@pytest.fixture
def folder(tmp_path):
    write_pretrained(tmp_path / "model", {"a": torch.randn(3, 4), "b": torch.ones(2)}, {"config": {"width": 4}})
    return tmp_path / "model"


def test_weights_come_back_as_float32_to_the_precision_of_bf16(tmp_path):
    weights = {"a": torch.randn(30, 4)}
    write_pretrained(tmp_path, weights, {})
    read = read_weights(tmp_path)
    assert read["a"].dtype == torch.float32
    torch.testing.assert_close(read["a"], weights["a"], rtol=2**-8, atol=0)


def test_settings_come_back(folder):
    assert read_settings(folder)["config"] == {"width": 4}


def test_a_folder_is_found_before_a_shipped_name_of_that_kind(folder):
    assert find(folder) == folder
    for name in shipped():
        assert find(name).name == name


def test_what_is_no_model_is_told(tmp_path):
    with pytest.raises(UserError, match="unknown pretrained model 'gato-smal'"):
        find("gato-smal")
    with pytest.raises(UserError, match=r"no pretrained model; expected a folder with model\.safetensors"):
        find(tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": 99}'])
def test_settings_that_cannot_be_read_are_told(folder, content):
    (folder / SETTINGS).write_text(content)
    with pytest.raises(UserError, match=r"config\.json: "):
        read_settings(folder)


def test_damaged_weights_are_told(folder):
    data = (folder / WEIGHTS).read_bytes()
    for broken in (b"", data[:50], data[:-3]):
        (folder / WEIGHTS).write_bytes(broken)
        with pytest.raises(UserError, match=r"model\.safetensors: damaged"):
            read_weights(folder)


def test_shipped_models_are_whole_and_small():
    assert "gato-small" in shipped()
    folders = [find(name) for name in shipped()]
    assert sum(file.stat().st_size for folder in folders for file in folder.rglob("*") if file.is_file()) < 40e6
    for folder in folders:
        assert json.loads((folder / SETTINGS).read_text())["tasks"]
        assert (folder / "README.md").read_text().startswith("---")
