"""Many environments of different tasks at once play the episodes of one at a time."""

import gymnasium
import pytest

from gato_lightning.acting.agent import ActingSettings
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.rollout import evaluate_tasks
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary


def task(text, env_id: str, steps: int) -> ControlTask:
    def make_env(render_mode=None) -> gymnasium.Env:
        return gymnasium.make(env_id, render_mode=render_mode, max_episode_steps=steps)

    env = make_env()
    tokenizer = TimestepTokenizer(env.observation_space, env.action_space, Vocabulary(), text)
    return ControlTask(env_id, "gym", make_env, tokenizer, None, 2, Reference(500.0, 9), Reference(20.0, 9))


def evaluated(model, tasks, lanes, settings):
    environments = Environments(tasks, lanes, workers=min(lanes, 2))
    try:
        return evaluate_tasks(model, tasks, 100, 12, environments, settings)
    finally:
        environments.close()


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_batch_of_32_plays_the_episodes_of_one_at_a_time(tiny_model, text, temperature):
    tasks = [task(text, "CartPole-v1", 20), task(text, "Pendulum-v1", 6), task(text, "FrozenLake-v1", 8)]
    settings = ActingSettings(prompt="none", temperature=temperature)
    together, alone = (evaluated(tiny_model, tasks, lanes, settings) for lanes in (32, 1))
    for many, one in zip(together, alone, strict=True):
        assert [episode.seed for episode in many.episodes] == list(range(100, 112))
        assert many.episodes == one.episodes
    assert len({tuple(score.returns) for score in together}) == 3


def test_a_rank_without_a_task_has_nothing_to_play(tiny_model):
    assert evaluated(tiny_model, [], 4, ActingSettings()) == []
