"""Results survive their files, and a page holds all there is to see of the runs."""

import csv

import numpy as np
import pytest

from gato_lightning.errors import UserError
from gato_lightning.evaluation.report import control_report, scores_of_records, write_csv, write_json
from gato_lightning.evaluation.report_page import page, read_run
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore
from gato_lightning.evaluation.video import encode_gif


def scores() -> list[TaskScore]:
    played = [
        EpisodeResult(7, 0.25, 3, True),
        EpisodeResult(8, None, 1, failure="OSError: gone"),
        EpisodeResult(9, 0.75, 5, False),
    ]
    same = [EpisodeResult(7, 2.0, 3)]
    return [TaskScore("reach", "metaworld", 1.0, 0.0, played), TaskScore("idle", "toy<text>", 3.0, 3.0, same)]


def test_records_are_read_back():
    read = scores_of_records(control_report(scores())["control"])
    for one, again in zip(scores(), read, strict=True):
        assert (one.score, one.finished, one.failures) == (again.score, again.finished, again.failures)


def test_a_row_a_task_and_episode(tmp_path):
    write_csv(tmp_path / "a" / "rows.csv", scores())
    with (tmp_path / "a" / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["task"], row["seed"], row["return"], row["score"], row["success"]) for row in rows] == [
        ("reach", "7", "0.25", "0.25", "True"),
        ("reach", "8", "", "", ""),
        ("reach", "9", "0.75", "0.75", "False"),
        ("idle", "7", "2.0", "", ""),
    ]
    assert rows[1]["failure"] == "OSError: gone"


def test_a_page_of_two_rollouts(tmp_path):
    for name in ("a", "b"):
        write_json(tmp_path / f"{name}.rollout.json", {"checkpoint": name, **control_report(scores())})
    videos = tmp_path / "a.rollout"
    videos.mkdir()
    (videos / "reach.gif").write_bytes(encode_gif([np.zeros((20, 20, 3), np.uint8)] * 3).data)
    text = page([read_run(tmp_path / f"{name}.rollout.json") for name in ("a", "b")])
    assert text.count("data:image/gif;base64,") == 1
    assert text.count("tasks above each percentage of expert") >= 2
    assert "reach: 1 failed. seed 8: OSError: gone" in text
    assert "0.50 [0.25, 0.75]" in text
    assert "expert and random do not differ" in text
    assert "toy&lt;text&gt;" in text
    assert "toy<text>" not in text


def test_what_is_no_report_is_told_in_one_line(tmp_path):
    with pytest.raises(UserError, match="no report"):
        read_run(tmp_path)
    (tmp_path / "report.json").write_text("{}")
    with pytest.raises(UserError, match=r"report.json: not a report of this project \(KeyError: 'control'\)"):
        read_run(tmp_path)
