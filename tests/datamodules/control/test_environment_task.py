"""Episodes in an environment: one that goes wrong costs itself alone."""

import logging

import pytest

from datamodules.base.faults import Fault
from datamodules.control.environment_task import EPISODES_PER_JOB, EnvironmentTask, EpisodeJob, seed_ranges
from gato_lightning.errors import ExpertFailure, UserError


def play(seed: int) -> int:
    if seed == 3:
        raise ZeroDivisionError("the wheel came off")
    if seed == 4:
        raise ExpertFailure("it gave up")
    return seed * 10


def test_a_faulty_episode_becomes_a_fault_and_renews_the_environment():
    renewed, begun = [], []
    job = EpisodeJob(play, range(2, 7), 1.0, lambda: renewed.append(True))
    found = list(job.guarded(begun.append, {5: "no end within 1 s"}))
    assert found[0] == 20
    assert [one.message for one in found if isinstance(one, Fault)] == [
        "seed 3: ZeroDivisionError: the wheel came off",
        "seed 4: it gave up",
        "seed 5: no end within 1 s",
    ]
    assert found[-1] == 60
    assert renewed == [True]
    assert begun == [2, 3, 4, 6]


def test_without_a_guard_only_what_the_expert_gives_up_is_left_out():
    assert EpisodeJob(play, range(4, 6), 1.0, lambda: None)() == [50]
    with pytest.raises(ZeroDivisionError):
        EpisodeJob(play, range(3, 6), 1.0, lambda: None)()


def test_a_mistake_of_the_users_ends_all():
    def mistaken(seed: int) -> int:
        raise UserError("no such map")

    with pytest.raises(UserError, match="no such map"):
        list(EpisodeJob(mistaken, range(2), 1.0, lambda: None).guarded(lambda seed: None, {}))


@pytest.mark.parametrize("count", [1, EPISODES_PER_JOB, EPISODES_PER_JOB + 1, 99])
def test_ranges_hold_every_seed_once(count):
    ranges = seed_ranges(7, count)
    assert [seed for one in ranges for seed in one] == list(range(7, 7 + count))
    assert max(map(len, ranges)) <= EPISODES_PER_JOB


def test_a_cut_is_told_once(caplog):
    task = EnvironmentTask(max_episode_steps=5)
    with caplog.at_level(logging.WARNING):
        assert [task.is_cut(steps) for steps in (4, 5, 6)] == [False, True, True]
    assert len([line for line in caplog.messages if "cut after 5 steps" in line]) == 1
