"""Data sets by folder or by name on the hub; nothing is downloaded here."""

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from datamodules.control.recorded.hub import find_folder
from gato_lightning.errors import UserError


def test_a_folder_is_itself(tmp_path):
    assert find_folder(str(tmp_path)) == tmp_path


def test_no_folder_and_no_name_of_the_hub():
    with pytest.raises(UserError, match="nowhere: no such folder, nor the name of a data set on the hub"):
        find_folder("nowhere")


def test_a_data_set_of_the_hub_is_downloaded(tmp_path, monkeypatch):
    asked = []

    def snapshot_download(name, **settings):
        asked.append((name, settings))
        return str(tmp_path)

    monkeypatch.setattr("datamodules.control.recorded.hub.snapshot_download", snapshot_download)
    assert find_folder("lerobot/made-up", "v2.0", ["a/*"]) == tmp_path
    assert asked == [("lerobot/made-up", {"repo_type": "dataset", "revision": "v2.0", "allow_patterns": ["a/*"]})]


def test_a_data_set_that_the_hub_does_not_have(monkeypatch):
    def snapshot_download(name, **settings):
        raise LocalEntryNotFoundError("no network here")

    monkeypatch.setattr("datamodules.control.recorded.hub.snapshot_download", snapshot_download)
    with pytest.raises(UserError, match=r"lerobot/none: no such folder, nor a data set on the hub .*no network here"):
        find_folder("lerobot/none")
