"""`prepare`: the same stores for any number of workers; an episode that goes wrong costs itself alone, named and counted."""

import os
import signal

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.base.task import TaskDataModule
from datamodules.collecting.collect import prepare
from datamodules.control.expert_task import ControlDataModule
from datamodules.control.policy import PolicyDataModule
from gato_lightning.errors import ExpertFailure, UserError
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.tasks import REFERENCE_SEED
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary
from tests.datamodules.own_envs import DIES, HANGS, LENGTH, RAISES, Walk

FAULTS = [
    f"seed {RAISES}: ZeroDivisionError: the wheel came off",
    f"seed {HANGS}: no end within 2 s",
    f"seed {DIES}: the process died (SIGKILL)",
]


def prepared(cache, module, workers=2):
    module.connect("walk", Vocabulary(), TextTokenizer(), 64, cache)
    prepare([module], workers)
    return module


def walk(episodes=12, **settings):
    names = {"env_id": "tests.datamodules.own_envs:own/Walk-v0", "policy": "tests.datamodules.own_envs:to_the_right"}
    return PolicyDataModule(**names, episodes=episodes, val_episodes=2, reference_episodes=8, min_score=None, **settings)


def own(env_class, expert=lambda observation, executed: 1, **settings):
    """A task of three demonstrations in a walk of one's own."""

    class OwnDataModule(ControlDataModule):
        domain = "own"
        observation_space, action_space = Walk.observation_space, Walk.action_space

        def make_env(self, render_mode=None):
            return env_class()

        def make_expert(self, env):
            return expert

    return OwnDataModule(episodes=3, val_episodes=1, reference_episodes=1, min_score=None, **settings)


@pytest.fixture
def small_blocks(monkeypatch):
    """Several jobs of few episodes."""
    monkeypatch.setattr("datamodules.control.environment_task.EPISODES_PER_JOB", 5)


def test_a_demonstration_that_goes_wrong_costs_itself_alone(tmp_path, caplog, small_blocks):
    module = prepared(tmp_path, walk(env_kwargs={"faulty": True}, time_limit=2.0))
    store = EpisodeStore(module.folder("train"))
    assert store.num_episodes == 12 - len(FAULTS)
    assert store.num_timesteps == LENGTH * store.num_episodes
    assert (tmp_path / f"{module.folder('train').name}.faults.txt").read_text().splitlines() == FAULTS
    assert f"task walk: 3 of 12 train episodes are faulty and left out: {'; '.join(FAULTS)}; all are in " in caplog.text
    assert f"task walk, train, {FAULTS[1]}" in caplog.text, "told when it happens"
    assert EpisodeStore(module.folder("val")).num_episodes == 2


def test_a_reference_episode_that_goes_wrong_is_left_out_of_the_mean(tmp_path, caplog):
    module = prepared(tmp_path, walk(env_kwargs={"faulty": True, "first": REFERENCE_SEED}, time_limit=2.0))
    references = EpisodeStore(module.folder("train")).meta["references"]
    assert references["expert"] == {"mean": LENGTH * 4 / 5, "episodes": 5}  # one of them is the weak one
    assert references["random"]["episodes"] == 5
    for policy in ("expert", "random"):
        assert f"task walk: 3 of 8 {policy} reference episodes are faulty and left out: seed 200000001" in caplog.text


def test_the_stores_are_the_same_for_any_number_of_workers(tmp_path, small_blocks):
    def contents(workers):
        module = prepared(tmp_path / str(workers), walk(env_kwargs={"faulty": True}, noise=0.3, time_limit=2.0), workers)
        return {path: (module.folder("train") / path).read_bytes() for path in os.listdir(module.folder("train"))}

    assert contents(1) == contents(3)


def test_an_expert_that_gives_up_is_counted(tmp_path, caplog):
    class Seen(Walk):
        def _observation(self):
            return np.array([self.place, self.seed == RAISES], np.float32)

    def moody(observation, executed):
        if observation[1]:
            raise ExpertFailure("no way out")
        return 1

    module = prepared(tmp_path, own(Seen, moody))
    assert EpisodeStore(module.folder("train")).num_episodes == 2
    assert "task walk: 1 of 3 train episodes are faulty and left out: seed 1: no way out;" in caplog.text


def test_an_episode_that_never_ends_is_cut_and_told(tmp_path, caplog):
    class Endless(Walk):
        def step(self, action):
            return self._observation(), 1.0, False, False, {}

    module = prepared(tmp_path, own(Endless, max_episode_steps=17))
    store = EpisodeStore(module.folder("train"))
    assert store.num_timesteps == 17 * store.num_episodes
    assert store.meta["references"] == {name: {"mean": 17.0, "episodes": 1} for name in ("expert", "random")}
    module.setup("fit")
    assert module.control().max_episode_steps == 17
    with caplog.at_level("WARNING"):
        assert (module.random_return(0), module.random_return(1)) == (17.0, 17.0)
    assert caplog.text.count("task walk: episodes are cut after 17 steps (max_episode_steps)") == 1
    with pytest.raises(UserError, match="max_episode_steps: 0, expected a whole number, 1 or more"):
        own(Endless, max_episode_steps=0)


def test_a_limit_of_a_task_of_gymnasium_takes_the_place_of_its_own():
    for steps, expected in ((None, LENGTH), (4, 4)):
        module = walk(episodes=1, max_episode_steps=steps)
        assert len(module.play(0)) == expected


def test_where_no_episode_is_left_one_line_says_so(tmp_path):
    def lost(observation, executed):
        raise LookupError("not on the map")

    with pytest.raises(
        UserError, match="task walk: 1 of 1 expert reference episodes are faulty: seed 200000000: LookupError: no"
    ):
        prepared(tmp_path, own(Walk, lost))


def test_a_value_without_a_token_ends_the_run_with_task_seed_timestep_and_key(tmp_path):
    class Blind(Walk):
        def _observation(self):
            return np.array([self.place, np.nan if self.seed == 2 and self.steps == 3 else self.steps], np.float32)

    with pytest.raises(UserError, match=r"task walk, train episode 2 of its job, seed 2: observation, timestep 3: "):
        prepared(tmp_path, own(Blind))


def test_an_environment_that_cannot_be_made_ends_the_run_with_the_task(tmp_path):
    def missing():
        raise UserError("needs the extra walk")

    with pytest.raises(UserError, match="task walk, expert reference: needs the extra walk"):
        prepared(tmp_path, own(missing), workers=1)


def test_an_environment_that_raised_is_made_anew(tmp_path):
    class Fragile(Walk):
        def __init__(self):
            super().__init__(faulty=True)
            self.broken = False

        def step(self, action):
            if self.broken or self.fault == RAISES:
                self.broken = True
                raise ZeroDivisionError("the wheel came off")
            return super().step(action)

    module = prepared(tmp_path, own(Fragile), workers=1)
    assert EpisodeStore(module.folder("train")).num_episodes == 2


def test_a_process_that_dies_outside_of_an_episode_ends_the_run_with_one_line(tmp_path):
    class Reader(TaskDataModule):
        domain = "own"
        observation_space, action_space = spaces.Discrete(2), spaces.Discrete(2)

        def jobs(self, split):
            return [lambda: os.kill(os.getpid(), signal.SIGKILL)]

    with pytest.raises(UserError, match=r"task walk, train: the process died \(SIGKILL\)"):
        prepared(tmp_path, Reader(), workers=1)


def test_how_long_an_episode_may_take_makes_no_other_store(tmp_path):
    names = {prepared(tmp_path, walk(episodes=2, time_limit=limit)).folder("train").name for limit in (10.0, 20.0)}
    assert len(names) == 1


def test_a_time_limit_is_positive():
    with pytest.raises(UserError, match="time_limit: 0, expected a number, above 0"):
        walk(time_limit=0)
