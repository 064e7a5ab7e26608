"""A pretrained model as an agent: shipped, from a folder, from a hub, and in tasks that it has never seen."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from gato_lightning.acting import gato_agent
from gato_lightning.acting.agent import ActingSettings
from gato_lightning.acting.gato_agent import GatoAgent
from gato_lightning.errors import UserError
from gato_lightning.model.pretrained import find
from gato_lightning.tokens.episode import Episode

GREEDY = ActingSettings(temperature=0.0)


@pytest.fixture(scope="module")
def agent() -> GatoAgent:
    return GatoAgent.from_pretrained("gato-small")


def actions(agent: GatoAgent, steps: int = 12) -> list[int]:
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=3)
    agent.reset(task="cartpole", seed=3)
    taken = []
    for _ in range(steps):
        taken.append(int(agent.select_action(observation)))
        observation, *_ = env.step(taken[-1])
    return taken


def test_it_balances_a_pole(agent):
    env = gymnasium.make("CartPole-v1")
    observation, _ = env.reset(seed=5)
    agent.reset(task="cartpole", seed=5)
    for _ in range(60):
        observation, _, terminated, _, _ = env.step(agent.select_action(observation))
        assert not terminated


def test_the_seed_fixes_what_it_does(agent):
    assert actions(agent) == actions(agent)


def test_a_saved_agent_is_the_same(agent, tmp_path):
    agent.save_pretrained(tmp_path / "copy")
    assert actions(GatoAgent.from_pretrained(tmp_path / "copy")) == actions(agent)


def test_actions_of_every_known_task_lie_in_its_space(agent):
    for name, task in agent.tasks.items():
        agent.reset(task=name, seed=1)
        observation = task.tokenizer.observation_space.sample()
        if isinstance(observation, dict):
            observation["mission"] = "go to the red ball"  # any text belongs to the space, of whatever length
        assert agent.select_action(observation) in task.tokenizer.action_space


def test_a_new_task_is_acted_in_with_demonstrations_as_prompt(agent):
    observed, acted = spaces.Dict({"where": spaces.Box(-1, 1, (2,)), "say": spaces.Text(9)}), spaces.MultiDiscrete([3, 2])
    shown = {"where": np.zeros((4, 2), np.float32), "say": ["go"] * 4}
    episode = Episode(shown, np.ones((4, 2), np.int64), np.ones(4, np.float32), "me")
    agent.add_task("own", observed, acted, [episode], timesteps=2)
    agent.reset(task="own", seed=0, acting=GREEDY)
    for _ in range(5):
        assert agent.select_action({"where": np.zeros(2, np.float32), "say": "go"}) in acted


def test_a_repository_on_the_hub_is_read_once_it_is_here(agent, monkeypatch):
    asked = []

    def download(name, **settings):
        asked.append((name, settings))
        return str(find("gato-small"))

    monkeypatch.setattr(gato_agent, "snapshot_download", download)
    assert actions(GatoAgent.from_pretrained("someone/gato", revision="v1"), 3) == actions(agent, 3)
    assert asked == [("someone/gato", {"revision": "v1"})]


def test_without_a_network_the_hub_is_told_in_a_line(monkeypatch):
    def offline(name, **settings):
        raise OSError("no route\nto host")

    monkeypatch.setattr(gato_agent, "snapshot_download", offline)
    with pytest.raises(UserError, match=r"'someone/gato'.*nor a repository on the hub.*no route to host"):
        GatoAgent.from_pretrained("someone/gato")


def test_mistakes_are_told(agent, tmp_path):
    fresh = GatoAgent(agent.model, agent.text, agent.tasks)
    with pytest.raises(UserError, match="no episode has begun"):
        fresh.select_action(np.zeros(4))
    with pytest.raises(UserError, match="unknown task 'cartpool'; did you mean cartpole"):
        fresh.reset(task="cartpool")
    with pytest.raises(UserError, match="at least one demonstration"):
        fresh.add_task("own", spaces.Discrete(2), spaces.Discrete(2), [])
    fresh.reset(task="cartpole")
    with pytest.raises(UserError, match=r"select_action: .*shape"):
        fresh.select_action(np.zeros(3))
    with pytest.raises(UserError, match="brings no tasks"):
        fresh.save_pretrained(tmp_path)
