"""What a worker answers to each command, asked over a pipe within this process."""

import threading
from multiprocessing import Pipe

import pytest

from gato_lightning.evaluation.environment_worker import serve
from tests.gato_lightning.evaluation.counting import STEPS, task


@pytest.fixture
def ask(text):
    tasks = {name: task(text, name=name) for name in ("a", "b")}
    ours, theirs = Pipe()
    # Signal handlers and the like belong to the process that a worker is; here is only what it serves.
    thread = threading.Thread(target=serve, args=(theirs, tasks), daemon=True)
    thread.start()

    def answer(lane, command, *arguments):
        ours.send((lane, command, arguments))
        replied, outcome = ours.recv()
        assert replied == lane
        return outcome

    yield answer
    ours.send(None)
    thread.join(10)
    assert not thread.is_alive()


def test_an_episode_from_reset_to_its_end(ask):
    first = ask(0, "begin", "a", 7, False)
    assert first.observation.tolist() == [0, 7]
    outcomes = [ask(0, "step", 1) for _ in range(STEPS)]
    assert [one.observation[0] for one in outcomes] == list(range(1, STEPS + 1))
    assert [one.over for one in outcomes] == [False] * (STEPS - 1) + [True]
    assert outcomes[-1].success is True
    assert sum(one.reward for one in outcomes) == STEPS


def test_lanes_do_not_touch_each_other(ask):
    ask(0, "begin", "a", 1, False)
    ask(0, "step", 1)
    assert ask(1, "begin", "b", 2, False).observation.tolist() == [0, 2]
    assert ask(0, "step", 1).observation.tolist() == [2, 1]


def test_a_recorded_episode_ends_with_a_video_and_others_do_not(ask):
    ask(0, "begin", "a", 1, True)
    ask(1, "begin", "a", 1, False)
    ends = {lane: [ask(lane, "step", 1) for _ in range(STEPS)][-1] for lane in (0, 1)}
    assert ends[0].video is not None
    assert ends[0].video.data.startswith(b"GIF8")
    assert ends[1].video is None


def test_a_command_that_fails_is_an_outcome_and_the_lane_begins_again(ask):
    assert "KeyError" in ask(0, "begin", "nowhere", 1, False).failure
    assert "KeyError" in ask(0, "step", 1).failure
    assert ask(0, "begin", "a", 1, False).failure == ""
