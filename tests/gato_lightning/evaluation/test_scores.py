"""Scores are the formula's; means, interquartile means and counts are what hand-made numbers give."""

import numpy as np
import pytest

from gato_lightning.evaluation.scores import (
    EpisodeResult,
    TaskScore,
    interquartile_mean,
    mean_score,
    summary,
    task_interval,
    tasks_above,
)


def played(task: str, returns: list[float], expert=1.0, random=0.0, domain="d", failures=0) -> TaskScore:
    episodes = [EpisodeResult(seed, value, 3) for seed, value in enumerate(returns)]
    episodes += [EpisodeResult(90 + i, None, 1, failure="broke") for i in range(failures)]
    return TaskScore(task, domain, expert, random, episodes)


@pytest.mark.parametrize(
    ("expert", "random", "returned", "score"),
    [(500, 20, [500, 500], 1.0), (-100, -1100, [-600], 0.5), (10, 20, [30], 1.0), (7, 7, [9], None), (1, 0, [], None)],
)
def test_scores(expert, random, returned, score):
    assert played("t", returned, expert, random).score == score


def test_means_clip_at_one_and_count_failed_tasks_as_zero():
    good, half = played("a", [2.0]), played("b", [0.5])
    failed, undefined = played("c", [], failures=2), played("e", [1.0], 1.0, 1.0)
    assert mean_score([good, half, undefined]) == 0.75
    assert mean_score([good, half, failed]) == 0.5
    assert mean_score([undefined]) is None


def test_a_task_whose_episodes_all_failed_counts_zero_everywhere():
    good, failed = played("a", [1.0] * 4), played("b", [], failures=4)
    assert mean_score([good, failed]) == interquartile_mean([good, failed]).value == 0.5
    assert interquartile_mean([good, failed]).low == interquartile_mean([good, failed]).high == 0.5
    assert tasks_above([good, failed], [0, 50]).tolist() == [2, 1]
    assert interquartile_mean([failed]).value == mean_score([failed]) == 0.0
    assert (failed.score, task_interval(failed)) == (None, None), "and has no score of its own"


def test_episodes_that_failed_in_part_leave_the_score_to_the_others():
    part, half = played("a", [1.0, 1.0], failures=2), played("b", [0.5, 0.5])
    assert mean_score([part, half]) == 0.75
    assert interquartile_mean([part, half]).value == pytest.approx(0.75)


def test_failed_episodes_are_counted_and_have_no_return():
    score = played("a", [1.0, 0.0], failures=1)
    assert score.mean_return == 0.5
    assert score.failures == ["seed 90: broke"]
    assert summary([score])["d"]["failed_episodes"] == 1


def test_tasks_above_each_percentage_of_expert():
    scores = [played("a", [0.2]), played("b", [0.5]), played("c", [1.2]), played("e", [1.0], 1.0, 1.0)]
    assert tasks_above(scores, [0, 20, 50, 51, 100, 120]).tolist() == [3, 3, 2, 1, 1, 1]
    assert tasks_above([], [50]).tolist() == [0]


def test_a_task_without_a_difference_is_named_and_left_out():
    found = summary([played("a", [0.5, 0.5]), played("same", [1.0, 2.0], 3.0, 3.0)])["all"]
    assert (found["tasks"], found["scored"], found["mean_score"]) == (2, 1, 0.5)
    assert found["left_out"] == ["same: expert and random do not differ"]
    assert found["interquartile_mean"] == [0.5, 0.5, 0.5]


def test_interquartile_mean_is_that_of_the_middle_half():
    value = interquartile_mean([played("a", [0.0, 1.0, 2.0, 3.0]), played("b", [4.0, 5.0, 6.0, 100.0])]).value
    assert value == np.mean([2.0, 3.0, 4.0, 5.0])
    assert interquartile_mean([played("a", [0.4])]).low is None
    assert interquartile_mean([]) is None


def test_the_bootstrap_draws_within_tasks():
    # Tasks differ and episodes do not: drawn within tasks, nothing changes; drawn across them, it would.
    apart = [played("a", [0.0] * 8), played("b", [1.0] * 8)]
    estimate = interquartile_mean(apart)
    assert estimate.low == estimate.high == estimate.value == 0.5


def test_intervals_hold_the_true_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(60):
        low, high = task_interval(played("a", rng.normal(0.3, 0.2, 40).tolist()), seed=trial)
        hits += low <= 0.3 <= high
    assert 50 <= hits <= 60
