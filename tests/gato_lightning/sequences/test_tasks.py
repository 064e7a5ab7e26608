"""What tasks offer for evaluation."""

import gymnasium
import numpy as np
from gymnasium import spaces

from gato_lightning.sequences.tasks import (
    DEMONSTRATION_SEED,
    FINAL_SEED,
    REFERENCE_SEED,
    ROLLOUT_SEED,
    VALIDATION_SEED,
    ControlTask,
    Reference,
)
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary


class Demonstrations:
    def __init__(self, returns):
        self.returns = np.array(returns)


def control(text, returns, expert=1.0, random=0.0) -> ControlTask:
    tokenizer = TimestepTokenizer(spaces.Box(-1, 1, (1,)), spaces.Discrete(2), Vocabulary(), text)
    make = gymnasium.make
    return ControlTask("t", "d", make, tokenizer, Demonstrations(returns), 1, Reference(expert, 9), Reference(random, 9))


def test_prompts_come_from_demonstrations_of_four_fifths_of_the_experts_score(text):
    assert control(text, [0.1, 0.8, 0.79, 1.2]).successful.tolist() == [1, 3]
    assert control(text, [-95.0, -120.0, -500.0], expert=-90.0, random=-500.0).successful.tolist() == [0, 1]


def test_where_none_is_good_the_best_serves(text):
    assert control(text, [0.1, 0.3, 0.2]).successful.tolist() == [1]


def test_seeds_of_different_purposes_lie_far_apart():
    firsts = sorted([DEMONSTRATION_SEED, VALIDATION_SEED, REFERENCE_SEED, ROLLOUT_SEED, FINAL_SEED])
    assert np.diff(firsts).min() >= 100_000_000
