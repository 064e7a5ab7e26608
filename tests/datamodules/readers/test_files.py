"""Files and their lines, packed or not, whole or cut short."""

import gzip
from pathlib import Path

import pytest
import zstandard

from datamodules.base.faults import Fault
from datamodules.readers.files import find, fingerprint, json_lines, text_field, within
from gato_lightning.errors import UserError

LINES = b'{"a": 1}\n\n{"a": 2}\nnot json\n[3]\n{"a": "caf\xe9"}\n{"a": 4}'
PACK = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.compress}


@pytest.mark.parametrize("suffix", PACK)
def test_lines_are_read_and_faults_named_in_every_packing(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(PACK[suffix](LINES))
    found = list(json_lines(path))
    rows = [one for one in found if not isinstance(one, Fault)]
    assert rows == [(f"{path}:1", {"a": 1}), (f"{path}:3", {"a": 2}), (f"{path}:7", {"a": 4})]
    told = [one.message for one in found if isinstance(one, Fault)]
    assert [line.removeprefix(f"{path}:")[:1] for line in told] == ["4", "5", "6"]
    assert "not JSON" in told[0]
    assert "expected a JSON object" in told[1]
    assert "not UTF-8" in told[2]


@pytest.mark.parametrize("suffix", [".jsonl.gz", ".jsonl.zst"])
def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path, suffix):
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(PACK[suffix](b'{"a": 1}\n' * 100)[:-6])
    *_, last = json_lines(path)
    assert isinstance(last, Fault)
    assert "breaks off" in last.message


def test_a_fingerprint_changes_with_the_file(tmp_path):
    path = tmp_path / "a"
    path.write_text("1")
    first = fingerprint(path)
    path.write_text("22")
    assert fingerprint(path) != first
    with pytest.raises(UserError, match="no such file"):
        fingerprint(tmp_path / "b")


def test_files_are_found_at_any_depth_in_order(tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.txt", "a.txt", "deep/c.txt", "d.md"):
        (tmp_path / name).touch()
    assert [path.name for path in find(str(tmp_path), [".txt"])] == ["a.txt", "b.txt", "c.txt"]
    assert find(str(tmp_path / "d.md"), [".txt"]) == [tmp_path / "d.md"]
    with pytest.raises(UserError, match=r"no file in it ends in \.csv"):
        find(str(tmp_path), [".csv"])
    with pytest.raises(UserError, match="no such file or folder"):
        find(str(tmp_path / "nowhere"), [".txt"])


@pytest.mark.parametrize("row", [{}, {"text": 3}, {"text": " "}, {"text": None}])
def test_a_field_without_text_is_refused(row):
    with pytest.raises(UserError, match="under 'text'"):
        text_field(row, "text")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..", "a\0b"])
def test_no_name_leads_out_of_a_folder(name):
    with pytest.raises(UserError, match="leads out of the folder data"):
        within(Path("data"), name)


def test_links_in_a_folder_are_followed(tmp_path):
    (tmp_path / "blob").write_text("held elsewhere")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "link").symlink_to(tmp_path / "blob")
    assert within(tmp_path / "data", "a/../link").read_text() == "held elsewhere"
