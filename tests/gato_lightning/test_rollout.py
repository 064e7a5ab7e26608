"""Scores are the formula's, and a task that fails touches no other."""

import gymnasium
import numpy as np
import pytest

from gato_lightning.policy import ActingSettings
from gato_lightning.rollout import TaskScore, evaluate_tasks, mean_score
from gato_lightning.tasks import ControlTask, Reference
from gato_lightning.timestep import TimestepTokenizer
from gato_lightning.vocabulary import Vocabulary


def cartpole(text, name="cartpole", make_env=lambda render_mode=None: gymnasium.make("CartPole-v1")) -> ControlTask:
    env = gymnasium.make("CartPole-v1")
    tokenizer = TimestepTokenizer(env.observation_space, env.action_space, Vocabulary(), text)
    return ControlTask(name, "classic-control", make_env, tokenizer, None, 1, Reference(500.0, 9), Reference(20.0, 9))


NO_PROMPT = ActingSettings(prompt="none", temperature=0.0)


@pytest.mark.parametrize(
    ("expert", "random", "returned", "score"),
    [(500, 20, [500, 500], 1.0), (-100, -1100, [-600], 0.5), (10, 20, [30], 1.0), (7, 7, [9], None)],
)
def test_scores(expert, random, returned, score):
    assert TaskScore("t", "d", expert, random, returns=returned).score == score


def test_means_clip_at_one_and_count_failures_as_zero():
    good = TaskScore("a", "d", 1.0, 0.0, returns=[2.0])
    half = TaskScore("b", "d", 1.0, 0.0, returns=[0.5])
    failed = TaskScore("c", "d", 1.0, 0.0, failures=["broke"])
    undefined = TaskScore("e", "d", 1.0, 1.0, returns=[1.0])
    assert mean_score([good, half, undefined]) == 0.75
    assert mean_score([good, half, failed]) == 0.5


def test_a_batch_of_environments_plays_the_episodes_of_one_at_a_time(tiny_model, text):
    many = evaluate_tasks(tiny_model, [cartpole(text)], 100, episodes=6, lanes=4, settings=NO_PROMPT)[0]
    one = evaluate_tasks(tiny_model, [cartpole(text)], 100, episodes=6, lanes=1, settings=NO_PROMPT)[0]
    assert sorted(many.seeds) == one.seeds == list(range(100, 106))
    assert dict(zip(many.seeds, many.returns, strict=True)) == dict(zip(one.seeds, one.returns, strict=True))


def test_a_failing_task_is_named_and_the_others_go_on(tiny_model, text, caplog):
    class Broken(gymnasium.Wrapper):
        def step(self, action):
            raise RuntimeError("motor on fire")

    broken = cartpole(text, "broken", lambda render_mode=None: Broken(gymnasium.make("CartPole-v1")))
    scores = evaluate_tasks(tiny_model, [broken, cartpole(text)], 0, episodes=2, settings=NO_PROMPT)
    assert "motor on fire" in scores[0].failures[0]
    assert "broken" in caplog.text
    assert len(scores[1].returns) == 2
    assert np.isfinite(scores[1].score)
