"""An environment that raises, hangs, dies or lies fails its episode alone, with task and seed named."""

import csv
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
from gymnasium import spaces

from gato_lightning.errors import UserError
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.report import score_records, scores_of_records, write_csv
from gato_lightning.evaluation.rollout import play
from gato_lightning.evaluation.scores import summary
from tests.gato_lightning.evaluation.counting import STEPS, Counting, Ones, played, task


def raises():
    raise RuntimeError("motor on fire")


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (raises, "RuntimeError: motor on fire"),
        (lambda: np.array([np.nan, 0.0]), "observation: not a number"),
        (lambda: np.zeros(3), r"observation: shape (3,), expected (2,)"),
        (lambda: time.sleep(600), "no answer from the environment in 3 s"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "the environment's process died (SIGKILL)"),
    ],
)
def test_a_faulty_episode_fails_alone(text, caplog, fault, why):
    good = task(text, name="good")
    broken, whole = played([task(text, fault, "broken"), good], time_limit=3.0 if "answer" in why else 60.0)
    assert broken.failures == [f"seed 13: {why}"]
    assert "task broken, seed 13 failed" in caplog.text
    assert [one.seed for one in broken.finished] == [10, 11, 12, 14, 15]
    assert [one.seed for one in whole.finished] == list(range(10, 16))
    assert set(broken.returns + whole.returns) == {float(STEPS)}
    assert all(one.success and one.length == STEPS for one in broken.finished)


def test_an_environment_that_cannot_be_made_fails_its_episodes_only(text):
    def make(fault, render_mode):
        raise OSError("no such simulator")

    unmade, good = played([task(text, name="unmade", make=make), task(text)])
    assert len(unmade.failures) == 6
    assert "no such simulator" in unmade.failures[0]
    assert unmade.score is None
    assert good.score == 1.0


def test_an_environment_of_other_actions_than_the_data_is_told(text):
    class Wider(Counting):
        action_space = spaces.Discrete(3)

    [score] = played([task(text, make=Wider)])
    assert len(score.failures) == 6
    assert "the environment's action space is Discrete(3), that of the data Discrete(2)" in score.failures[0]


def test_an_agent_that_raises_fails_the_episodes_at_play_and_no_others(text):
    class Once(Ones):
        def act(self, observations):
            self.seen.append("act")
            if self.seen.count("act") == 2:
                raise ValueError("no such token")
            return super().act(observations)

    [score] = played([task(text)], actor=Once())
    assert len(score.failures) == 4
    assert "the agent failed: ValueError: no such token" in score.failures[0]
    assert score.returns == [float(STEPS)] * 2


def test_an_episode_that_the_agent_cannot_act_in_fails_alone(text, caplog):
    class Picky(Ones):
        def reset(self, lane, task, seed):
            if seed == 11:
                raise LookupError("no demonstration")
            super().reset(lane, task, seed)

        def act(self, observations):
            actions = super().act(observations)
            return {lane: UserError("too long") if observations[lane].tolist() == [2, 13] else 1 for lane in actions}

    [score] = played([task(text)], actor=Picky())
    assert score.failures == [
        "seed 11: the agent failed: LookupError: no demonstration",
        "seed 13: the agent failed: too long",
    ]
    assert score.returns == [float(STEPS)] * 4
    assert "task counting, seed 13 failed after 2 steps: the agent failed: too long" in caplog.text


def test_an_episode_that_never_ends_is_cut_counted_and_told(text, caplog, tmp_path):
    class Endless(Counting):
        def step(self, action):
            observation, reward, *_ = super().step(action)
            return observation, reward, False, False, {}

    class Late(Counting):
        def step(self, action):
            observation, reward, terminated, _, info = super().step(action)
            return observation, reward, False, terminated, info

    endless, own_limit, whole = (
        replace(task(text, make=make, name=make.__name__), max_episode_steps=steps)
        for make, steps in ((Endless, 9), (Late, STEPS), (Counting, STEPS))
    )
    cut, late, ended = scores = played([endless, own_limit, whole], record=["Endless"])
    assert [(one.length, one.total, one.truncated) for one in cut.episodes] == [(9, 9.0, True)] * 6
    assert cut.video is not None
    assert [[one.truncated for one in score.episodes] for score in (late, ended)] == [[True] * 6, [False] * 6]
    assert caplog.text.count("cut after") == 6, "not those at a limit of their own"
    assert "task Endless, seed 13: cut after 9 steps (max_episode_steps)" in caplog.text
    assert summary(scores)["all"]["truncated_episodes"] == 12
    assert [score.episodes for score in scores_of_records(score_records(scores))] == [score.episodes for score in scores]
    write_csv(tmp_path / "episodes.csv", [cut])
    assert [row["truncated"] for row in csv.DictReader((tmp_path / "episodes.csv").open())] == ["True"] * 6


def test_every_lane_sees_its_own_episode_from_the_start(text):
    actor = Ones()
    played([task(text, name="a"), task(text, name="b")], lanes=3, actor=actor)
    seen = [one for one in actor.seen if one[0] != "reset"]
    assert sorted(seen) == sorted((step, seed) for step in range(STEPS) for seed in range(10, 16) for _ in "ab")


def test_a_recorded_episode_is_the_one_that_counts(text):
    [score] = played([task(text)], record=["counting"])
    assert score.video.data.startswith(b"GIF89a")
    assert (score.video.width, score.video.height) == (20, 20)
    assert score.returns == [float(STEPS)] * 6


def test_what_cannot_be_drawn_costs_the_video_only(text, caplog):
    class Dark(Counting):
        def render(self):
            raise RuntimeError("no display")

    [score] = played([task(text, make=Dark)], record=["counting"])
    assert score.video is None
    assert "no video of task counting, seed 10: RuntimeError: no display" in caplog.text
    assert len(score.returns) == 6


def test_environments_are_kept_between_evaluations(text, tmp_path):
    def make(fault, render_mode):
        with (tmp_path / "made").open("a") as file:
            file.write(".")
        return Counting(fault, render_mode)

    tasks = [task(text, name="a", make=make), task(text, name="b", make=make)]
    environments = Environments(tasks, 2, 1)
    for _ in range(3):
        play(Ones(), tasks, range(4), environments)
    environments.close()
    assert len((tmp_path / "made").read_text()) <= 4


def test_workers_are_gone_when_closed(text):
    environments = Environments([task(text)], 2, 2)
    play(Ones(), [task(text)], range(2), environments)
    processes = [worker.process for worker in environments._workers]
    environments.close()
    assert [process.cause_of_death() for process in processes] == ["exit status 0"] * 2


def test_lanes_share_workers_evenly(text):
    assert len(Environments([task(text)], lanes=3, workers=8)._workers) == 3
