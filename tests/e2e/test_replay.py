"""The engine of the rollouts is right: the expert played through it scores 1, the uniformly random policy 0, in every family.

The expert's actions go through the tokens of the action space on their way, and what it observes in the engine has to be what
it observes outside of it.
"""

import numpy as np
import pytest

from datamodules.control.atari import AtariDataModule
from datamodules.control.babyai import BabyAIDataModule
from datamodules.control.box2d import Box2DDataModule
from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.control.combinatorial import CombinatorialDataModule
from datamodules.control.dm_control import DmControlDataModule
from datamodules.control.metaworld import MetaWorldDataModule
from datamodules.control.mujoco import MujocoDataModule
from datamodules.control.toy_text import ToyTextDataModule
from gato_lightning.common.randomness import Purpose, seed_for
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.rollout import play
from gato_lightning.sequences.tasks import ControlTask, Reference
from gato_lightning.tokens.episode import Episode, stack
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

FAMILIES = {
    "classic-control": lambda: ClassicControlDataModule("CartPole-v1", reference_episodes=40),
    "classic-control, continuous": lambda: ClassicControlDataModule("Pendulum-v1", reference_episodes=40),
    "box2d": lambda: Box2DDataModule("LunarLander-v3", reference_episodes=40),
    "toy-text": lambda: ToyTextDataModule("Taxi-v4", reference_episodes=40),
    "metaworld": lambda: MetaWorldDataModule("drawer-close-v3", max_episode_steps=150, reference_episodes=20),
    "mujoco": lambda: MujocoDataModule("Reacher-v5", reference_episodes=40),
    "dm_control": lambda: DmControlDataModule("dm_control/cartpole-balance-v0", reference_episodes=6),
    "babyai": lambda: BabyAIDataModule("BabyAI-GoToObj-v0", reference_episodes=40),
    "combinatorial": lambda: CombinatorialDataModule("cvrp", 10, reference_episodes=40),
    "atari": lambda: AtariDataModule("Assault", max_episode_steps=80, reference_episodes=12),
}
SEED = 2_000_000_000  # its own: the final seeds change when they have been seen, and few episodes are a matter of luck
EPISODES = {"dm_control": 3, "atari": 6}  # where they are long or slow; of the others twelve


class Expert:
    """Plays the expert in an environment of its own, step by step with that of the engine."""

    def __init__(self, module):
        self.module, self.envs, self.lanes = module, {}, {}

    def reset(self, lane, task, seed):
        env = self.envs.setdefault(lane, self.module.make_env())
        observation, _ = env.reset(seed=seed)
        self.lanes[lane] = [observation, self.module.make_expert(env), None]

    def act(self, observations):
        return {lane: self._act(lane, observation) for lane, observation in observations.items()}

    def _act(self, lane, observation):
        expected, expert, executed = self.lanes[lane]
        np.testing.assert_equal(observation, expected)
        wanted = expert(observation, executed)
        action = through_tokens(self.module, observation, wanted)
        self.lanes[lane][0] = self.envs[lane].step(action)[0]
        self.lanes[lane][2] = action
        return action


class Random:
    """Draws actions uniformly."""

    def __init__(self, module):
        self.space = module.action_space

    def reset(self, lane, task, seed):
        self.space.seed(seed_for(Purpose.RANDOM_PLAY, seed))

    def act(self, observations):
        return {lane: self.space.sample() for lane in observations}


def through_tokens(module, observation, action):
    """An action as the agent could give it."""
    columns = stack(module.observation_space, [observation]), stack(module.action_space, [action])
    ids = module.tokenizer.encode_episode(Episode(*columns, np.zeros(1, np.float32), "expert")).ids
    count = len(module.tokenizer.action_kinds)
    return module.tokenizer.decode_actions(ids[None, -count:].astype(np.int64))[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_expert_scores_one_and_the_random_policy_zero(family, tmp_path):
    module = FAMILIES[family]()
    module.connect(family, Vocabulary(), TextTokenizer(), 512, tmp_path)
    measured = {name: np.concatenate([job() for job in jobs]) for name, jobs in module.measurements().items()}
    references = {name: Reference(float(returns.mean()), len(returns)) for name, returns in measured.items()}
    task = ControlTask(family, module.domain, module.make_env, module.tokenizer, None, 1, **references)
    episodes = EPISODES.get(family, 12)
    environments = Environments([task], lanes=6, workers=2)
    try:
        for actor, name, expected in ((Expert(module), "expert", 1.0), (Random(module), "random", 0.0)):
            [score] = play(actor, [task], range(SEED, SEED + episodes), environments)
            assert not score.failures
            span = abs(task.expert.mean - task.random.mean)
            # Three standard errors of the difference of the two means, and the width of a bin of the actions.
            error = np.sqrt(np.var(score.returns) / episodes + np.var(measured[name]) / len(measured[name])) / span
            assert abs(score.score - expected) <= 3 * error + 0.01
    finally:
        environments.close()
