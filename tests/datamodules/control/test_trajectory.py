"""Random play draws as Gymnasium does, and knows nothing of what its environment draws by the same seed; nor does noise."""

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.expert_task import ControlDataModule
from datamodules.control.trajectory import Trajectory, random_return, sampler
from gato_lightning.errors import UserError
from gato_lightning.sequences.tasks import REFERENCE_SEED

CHOICES = 10
NUMBERS = spaces.Discrete(CHOICES)


class GuessTheNumber(gymnasium.Env):
    """One guess at a number that the reset draws: the random policy is right once in ten times."""

    observation_space = spaces.Discrete(2)

    def __init__(self, action_space=NUMBERS, draw=lambda rng: rng.integers(CHOICES)):
        self.action_space, self.draw = action_space, draw

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.number = self.draw(self.np_random)
        return 0, {}

    def step(self, action):
        guess = next(iter(action.values())) if isinstance(action, dict) else action
        return 1, float(guess == self.number), True, False, {}


class GuessDataModule(ControlDataModule):
    domain = "guess"
    observation_space, action_space = spaces.Discrete(2), NUMBERS

    def make_env(self, render_mode=None):
        return GuessTheNumber(draw=lambda rng: int(CHOICES * rng.random()))

    def make_expert(self, env):
        return lambda observation, executed: env.number


@pytest.mark.parametrize("space", [NUMBERS, spaces.Dict(guess=NUMBERS)], ids=str)
def test_random_play_does_not_know_the_number(space):
    env, episodes = GuessTheNumber(space), 2000
    returns = [random_return(env, space, REFERENCE_SEED + i) for i in range(episodes)]
    assert abs(np.mean(returns) - 1 / CHOICES) < 4 * np.sqrt(0.09 / episodes)


def test_noise_does_not_know_the_number():
    """It strikes every second time, whatever the number; where it strikes, one action in ten is right."""
    module = GuessDataModule(episodes=1000, noise=0.5)
    played = [(int(episode.actions[0]), float(episode.rewards[0])) for job in module.jobs("train") for episode in job()]
    for numbers in (range(5), range(5, CHOICES)):
        right = [reward for number, reward in played if number in numbers]
        assert abs(np.mean(right) - 0.55) < 4 * np.sqrt(0.55 * 0.45 / len(right))


class Parser(gymnasium.Env):
    """A game that knows two commands at a time."""

    observation_space, action_space = spaces.Discrete(9), spaces.Text(20, charset="abcdefgh ")

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.given = []
        return 0, {"admissible_commands": ["a 0", "b 0"]}

    def step(self, action):
        self.given.append(action)
        now = len(self.given)
        return now, float(action == f"a {now - 1}"), now == 8, False, {"admissible_commands": [f"a {now}", f"b {now}"]}


class ParserDataModule(ControlDataModule):
    domain = "parser"
    observation_space, action_space = Parser.observation_space, Parser.action_space

    def make_env(self, render_mode=None):
        return Parser()

    def make_expert(self, env):
        return lambda observation, executed: f"a {observation}"


def test_random_play_and_noise_of_a_text_game_draw_among_what_it_admits():
    module = ParserDataModule(noise=0.5)
    returns = [module.random_return(seed) for seed in range(60)]
    assert abs(np.mean(returns) - 4) < 4 * np.sqrt(2 / 60)
    executed = []
    for seed in range(60):
        played = module.play(seed, np.random.default_rng(seed))
        assert played.actions == [f"a {t}" for t in range(8)], "recorded is what the expert wants"
        executed += zip(module.env.given, range(8), strict=True)
    assert {command for command, t in executed} == {f"{letter} {t}" for letter in "ab" for t in range(8)}
    assert abs(np.mean([command.startswith("b") for command, _ in executed]) - 0.25) < 4 * np.sqrt(0.1875 / 480)


@pytest.mark.parametrize(
    "space",
    [
        spaces.Box(-1.0, 1.0, (4,), np.float32),
        spaces.Box(np.array([[-2.0, 0.0]]), np.array([[0.5, 1e6]]), dtype=np.float64),
        spaces.Box(np.array([-1.0, 0.0]), np.array([1.0, np.inf]), dtype=np.float32),
        spaces.Box(0, 3, (2,), np.int64),
        spaces.Discrete(5),
    ],
)
def test_what_is_drawn_is_gymnasiums(space):
    space.seed(3)
    expected = [space.sample() for _ in range(50)]
    space.seed(3)
    draw = sampler(space)
    for value in expected:
        drawn = draw()
        np.testing.assert_array_equal(drawn, value)
        assert drawn.dtype == value.dtype


def test_real_observations_may_leave_their_bounds_and_actions_may_not():
    space = spaces.Box(-1, 1, (1,), np.float32)
    hair, inside = np.array([1.0001], np.float32), np.zeros(1, np.float32)
    observations, _ = Trajectory([inside, hair], [inside], [0.0], True, {}).columns(space, space)
    assert observations[1] == hair
    with pytest.raises(UserError, match=r"action, timestep 0: \[1.0001\] is outside Box"):
        Trajectory([inside, inside], [hair], [0.0], True, {}).columns(space, space)
