"""An environment that counts its steps, and an actor that remembers what it saw."""

import gymnasium
import numpy as np
from gymnasium import spaces

from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.rollout import play
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

STEPS = 5


class Counting(gymnasium.Env):
    """Observes how many steps there were and the seed; at seed 13, `fault` happens in step 3."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = spaces.Discrete(2)

    def __init__(self, fault=lambda: None, render_mode=None):
        self.fault, self.render_mode = fault, render_mode

    def reset(self, *, seed=None, options=None):
        self.seed, self.steps = seed, 0
        return np.array([0.0, seed]), {}

    def step(self, action):
        self.steps += 1
        observation = np.array([self.steps, self.seed])
        if self.seed == 13 and self.steps == 3:
            found = self.fault()
            observation = observation if found is None else found
        return observation, float(action), self.steps == STEPS, False, {"success": self.steps == STEPS}

    def render(self):
        return np.full((20, 20, 3), self.steps, np.uint8)


class Ones:
    """Acts with 1, and remembers what it saw."""

    def __init__(self):
        self.seen = []

    def reset(self, lane, task, seed):
        self.seen.append(("reset", task.name, seed))

    def act(self, observations):
        self.seen += [tuple(value.tolist()) for value in observations.values()]
        return dict.fromkeys(observations, 1)


def task(text, fault=lambda: None, name="counting", make=Counting) -> ControlTask:
    tokenizer = TimestepTokenizer(Counting.observation_space, Counting.action_space, Vocabulary(), text)
    reference = Reference(float(STEPS), 9), Reference(0.0, 9)
    return ControlTask(name, "d", lambda render_mode=None: make(fault, render_mode), tokenizer, None, 1, *reference)


def played(tasks, lanes=4, workers=2, time_limit=60.0, actor=None, **settings):
    environments = Environments(tasks, lanes, workers, time_limit)
    try:
        return play(actor or Ones(), tasks, range(10, 16), environments, **settings)
    finally:
        environments.close()
