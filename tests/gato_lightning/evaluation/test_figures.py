"""Figures show the numbers that they are drawn from."""

import numpy as np

from gato_lightning.evaluation.figures import PERCENT, curves_figure, runs_figure, tasks_above_figure
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore


def score(task: str, domain: str, *returns: float) -> TaskScore:
    return TaskScore(task, domain, 1.0, 0.0, [EpisodeResult(i, value, 5) for i, value in enumerate(returns)])


SCORES = [score("a", "x", 1.0, 1.0), score("b", "x", 0.2, 0.4), score("c", "y", 0.6, 0.6)]


def test_the_stack_counts_tasks_at_every_percentage():
    axes = tasks_above_figure(SCORES).axes[0]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["x", "y"]
    assert axes.get_title().startswith("2 of 3 tasks at 50%")
    assert axes.get_xlim() == (PERCENT[0], PERCENT[-1])


def test_runs_stand_side_by_side_at_their_interquartile_means():
    axes = runs_figure({"first": SCORES, "second": SCORES[2:]}).axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    assert len(axes.containers) == 2
    (points, *_) = axes.containers[1].lines
    np.testing.assert_allclose(points.get_xdata(), [0.6])


def test_nothing_played_draws_empty_axes():
    assert tasks_above_figure([]).axes[0].get_title().startswith("0 of 0")


def test_curves_are_the_values_over_their_steps():
    axes = curves_figure("loss", {"run": ([0, 10], [2.0, 1.0])}).axes[0]
    assert axes.get_lines()[0].get_xydata().tolist() == [[0, 2], [10, 1]]
