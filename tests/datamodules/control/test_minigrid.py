import gymnasium
import numpy as np
import pytest
from minigrid.minigrid_env import MiniGridEnv

from datamodules.control.minigrid import MiniGridDataModule
from datamodules.control.suites import suite
from gato_lightning.errors import UserError
from gato_lightning.tokens.episode import is_text

LEVELS = [task.init_args["env_id"] for task in suite("minigrid")]
WITHOUT_MISSION = ("Playground", "WFC")


def make(level: str, **settings: object) -> MiniGridDataModule:
    return MiniGridDataModule(f"MiniGrid-{level}-v0", **settings)  # type: ignore[arg-type]


def test_every_level_with_a_mission_is_listed_in_its_latest_version():
    named = {env_id.rpartition("-")[0] for env_id in MiniGridDataModule.levels()}
    assert {env_id.rpartition("-")[0] for env_id in LEVELS} == {
        name for name in named if not name[9:].startswith(WITHOUT_MISSION)
    }
    newer = {f"{env_id[:-1]}{int(env_id[-1]) + 1}" for env_id in LEVELS}
    assert not newer & set(gymnasium.registry)


@pytest.mark.parametrize("env_id", LEVELS)
def test_the_expert_fulfils_nearly_every_mission_and_beats_random(env_id):
    module = MiniGridDataModule(env_id, tile_size=8)
    played = [module.play(seed) for seed in range(3 if "Obstructed" in env_id else 8)]
    random = [module.random_return(seed) for seed in range(8)]
    assert np.mean([module.success(episode) for episode in played]) > 0.8
    assert np.mean([episode.total_reward for episode in played]) > np.mean(random) + 0.2
    for value in played[0].observations:
        assert module.observation_space.contains(value)


@pytest.mark.parametrize("env_id", [env_id for env_id in LEVELS if "Obstructed" not in env_id])
def test_noise_spoils_few_episodes(env_id):
    (job,) = MiniGridDataModule(env_id, tile_size=8, episodes=5, noise=0.2).jobs("train")
    assert sum(episode.rewards.sum() > 0 for episode in job()) >= 4


@pytest.mark.parametrize(
    "level", ["Empty-8x8", "LavaCrossingS9N2", "Dynamic-Obstacles-6x6", "GoToDoor-8x8", "MemoryS9", "LockedRoom"]
)
def test_levels_seen_through_walls_are_seen_so(level):
    """Some of these levels are seen through walls."""
    env, rng = make(level).make_env(), np.random.default_rng(0)
    for seed in range(4):
        env.reset(seed=seed)
        for _ in range(40):
            np.testing.assert_array_equal(env.symbols, MiniGridEnv.gen_obs(env.unwrapped)["image"])
            if any(env.step(int(rng.choice(3, p=[0.2, 0.2, 0.6])))[2:4]):
                break


@pytest.mark.parametrize("level", ["Dynamic-Obstacles-8x8", "DoorKey-8x8", "ObstructedMaze-2Dlh"])
def test_the_seed_fixes_the_episode(level):
    first, second = make(level).play(3), make(level).play(3)
    assert list(first.actions) == list(second.actions)
    assert first.rewards == second.rewards
    for one, other in zip(first.observations, second.observations, strict=True):
        np.testing.assert_array_equal(one["image"], other["image"])
    assert len({tuple(make(level).play(seed).actions) for seed in range(4)}) > 1


def test_noise_walks_into_nothing_deadly():
    module = make("LavaGapS7", noise=1.0)
    rng = np.random.default_rng(0)
    for seed in range(5):
        module.env.reset(seed=seed)
        terminated = truncated = False
        while not (terminated or truncated):
            _, reward, terminated, truncated, _ = module.env.step(module.perturb(0, rng))
        assert truncated or reward > 0


def test_the_mission_is_observed_as_text():
    module = make("Fetch-5x5-N2")
    observation, _ = module.env.reset(seed=0)
    assert is_text(module.observation_space["mission"])
    assert "a " in observation["mission"]


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("MiniGrid-DoorKey-8x9-v0", "unknown MiniGrid level 'MiniGrid-DoorKey-8x9-v0'; did you mean MiniGrid-DoorKey-8x8-v0"),
        ("BabyAI-GoToLocal-v0", "unknown MiniGrid level 'BabyAI-GoToLocal-v0'"),
        ("MiniGrid-Playground-v0", "'MiniGrid-Playground-v0' has no expert: .* no plan for the mission ''"),
    ],
)
def test_a_level_without_an_expert_is_told(env_id, message):
    with pytest.raises(UserError, match=message):
        MiniGridDataModule(env_id)


def test_settings_outside_their_range_are_told():
    with pytest.raises(UserError, match="tile_size"):
        make("Empty-5x5", tile_size=0)
