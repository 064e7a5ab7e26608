"""Merging of config files: what people expect of a second file, and one clear line for each mistake."""

from pathlib import Path

import pytest
import yaml

from gato_lightning.cli.config_files import merge, read_config, read_config_files, split_config_args, to_yaml
from gato_lightning.errors import UserError


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_a_second_file_keeps_what_it_does_not_mention(tmp_path):
    first = write(tmp_path / "a.yaml", "data: {tasks: {text: {weight: 1}}}\ntrainer: {max_steps: 10}")
    second = write(tmp_path / "b.yaml", "data: {tasks: {images: {weight: 2}, text: {weight: 3}}}")
    assert read_config_files([first, second]) == {
        "data": {"tasks": {"text": {"weight": 3}, "images": {"weight": 2}}},
        "trainer": {"max_steps": 10},
    }


def test_a_changed_class_loses_the_arguments_of_the_old_one():
    base = {"logger": {"class_path": "A", "init_args": {"x": 1}}}
    assert merge(base, {"logger": {"class_path": "B"}}) == {"logger": {"class_path": "B"}}


def test_the_same_class_keeps_its_arguments():
    base = {"logger": {"class_path": "A", "init_args": {"x": 1, "y": 2}}}
    overlay = {"logger": {"class_path": "A", "init_args": {"y": 3}}}
    assert merge(base, overlay) == {"logger": {"class_path": "A", "init_args": {"x": 1, "y": 3}}}


def test_arguments_alone_go_to_the_class_of_the_earlier_file():
    base = {"logger": {"class_path": "A", "init_args": {"x": 1}}}
    assert merge(base, {"logger": {"init_args": {"x": 2}}}) == {"logger": {"class_path": "A", "init_args": {"x": 2}}}


@pytest.mark.parametrize(
    ("earlier", "expected"), [(["a"], ["a", "b"]), ("a", ["a", "b"]), (None, ["b"])], ids=["list", "one", "null"]
)
def test_plus_appends_to_the_list_of_an_earlier_file(earlier, expected):
    assert merge({"callbacks": earlier}, {"callbacks+": ["b"]}) == {"callbacks": expected}


def test_plus_with_nothing_before_it_begins_the_list():
    assert merge(merge({}, {"callbacks+": ["a"]}), {"callbacks+": "b"}) == {"callbacks": ["a", "b"]}


def test_equals_replaces_a_dictionary():
    assert merge({"tasks": {"a": 1, "b": 2}}, {"tasks=": {"c": 3}}) == {"tasks": {"c": 3}}


def test_anything_but_a_dictionary_is_replaced():
    assert merge({"a": [1, 2], "b": 1, "c": {"x": 1}}, {"a": [3], "b": None, "c": 4}) == {"a": [3], "b": None, "c": 4}


def test_merging_leaves_its_arguments_alone():
    base = {"a": {"b": [1]}}
    merge(base, {"a": {"b+": [2], "c": 3}})
    assert base == {"a": {"b": [1]}}


def test_numbers_and_strings_survive_writing_and_reading(tmp_path):
    config = {"rate": 1e-3, "text": "1e-3", "path": "${vars.x}", "flag": "true", "none": None}
    assert read_config(write(tmp_path / "a.yaml", to_yaml(config))) == config


def test_exponents_without_a_point_are_numbers(tmp_path):
    assert read_config(write(tmp_path / "a.yaml", "rate: 1e-3")) == {"rate": 0.001}


def test_anchors_are_written_out():
    shared = {"x": 1}
    assert yaml.safe_load(to_yaml({"a": shared, "b": shared})) == {"a": {"x": 1}, "b": {"x": 1}}
    assert "&" not in to_yaml({"a": shared, "b": shared})


def test_an_empty_file_sets_nothing(tmp_path):
    assert read_config(write(tmp_path / "a.yaml", "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", "line 3"),
        ("a: 1\n\tb: 2\n", "line 2"),
        ("a: 1\nb: 2\na: 3\n", "line 3: key 'a' twice"),
        ("- a\n- b\n", "expected settings as 'key: value', found a list"),
    ],
    ids=["bracket", "tab", "duplicate", "list"],
)
def test_malformed_files_are_named_with_the_line(tmp_path, text, complaint):
    path = write(tmp_path / "a.yaml", text)
    with pytest.raises(UserError) as error:
        read_config(path)
    assert str(error.value).startswith(path)
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_bytes(b"\x80\x81\xff")
    with pytest.raises(UserError, match="not a text file"):
        read_config(str(tmp_path / "a.yaml"))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="directory"):
        read_config(str(tmp_path))


def test_a_missing_file_is_named_with_its_neighbour(tmp_path):
    write(tmp_path / "gato_small.yaml", "")
    with pytest.raises(UserError, match=r"gato_smal\.yaml does not exist; did you mean .*gato_small\.yaml\?"):
        read_config(str(tmp_path / "gato_smal.yaml"))


def test_config_arguments_are_told_from_the_others():
    args = ["fit", "--config", "a.yaml", "--x", "1", "--config=b.yaml", "-c", "c.yaml", "--configure", "2"]
    assert split_config_args(args) == (["a.yaml", "b.yaml", "c.yaml"], ["fit", "--x", "1", "--configure", "2"])


@pytest.mark.parametrize("args", [["--config"], ["--config", "--x"], ["--config="]])
def test_config_without_a_file_is_refused(args):
    with pytest.raises(UserError, match="needs a file"):
        split_config_args(args)
