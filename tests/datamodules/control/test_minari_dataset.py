"""Minari data sets: what is written is what Minari reads, and any of them is a task with its environment."""

from functools import partial

import gymnasium
import minari
import numpy as np
import pytest
from gymnasium import spaces
from minari.data_collector.episode_buffer import EpisodeBuffer
from pyarrow import dataset

from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.control.minari_dataset import MinariDataModule
from datamodules.control.minari_files import episode_metadata, write_episode, write_metadata
from datamodules.control.trajectory import Trajectory, check
from datamodules.mixture import MixtureDataModule, TaskSpec
from gato_lightning.errors import UserError
from gato_lightning.sequences.tasks import REFERENCE_SEED, Reference
from tests.datamodules.own_envs import HANGS, RAISES, Walk


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    """Minari's own folder."""
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    return tmp_path / "minari"


NESTED = spaces.Dict(
    {
        "goal": spaces.Text(30),
        "image": spaces.Box(0, 255, (48, 32, 3), np.uint8),
        "pair": spaces.Tuple([spaces.Discrete(5, start=2), spaces.MultiDiscrete([3, 4])]),
        "pose": spaces.Box(-2, 2, (2, 3), np.float32),
        "switches": spaces.MultiBinary(3),
    }
)
ACTIONS = spaces.Dict({"say": spaces.Text(10), "turn": spaces.Box(-1, 1, (2,), np.float32)})


def trajectory(observation_space, action_space, steps=4) -> Trajectory:
    for space in (observation_space, action_space):
        space.seed(steps)
    observations = [observation_space.sample() for _ in range(steps + 1)]
    return Trajectory(observations, [action_space.sample() for _ in range(steps)], [0.1 * t for t in range(steps)], True, {})


def recorded(root, name, trajectories, observation_space, action_space, env_spec="CartPole-v1", **metadata):
    """A data set written by this project."""
    data = root / name / "data"
    data.mkdir(parents=True)
    for index, one in enumerate(trajectories):
        (data / str(index)).mkdir()
        write_episode(data / str(index) / "part-0.arrow", observation_space, action_space, one)
        (data / str(index) / "metadata.json").write_text(episode_metadata(index, total_steps=len(one)))
    spec = gymnasium.spec(env_spec) if isinstance(env_spec, str) else env_spec
    counts = {"total_episodes": len(trajectories), "total_steps": sum(map(len, trajectories))}
    write_metadata(data, observation_space, action_space, spec, {"dataset_id": name, **counts, **metadata})
    return name


def cartpole(root, episodes=4, **metadata):
    """A data set of the CartPole expert, and the module that played it."""
    module = ClassicControlDataModule("CartPole-v1")
    played = [module.play(seed) for seed in range(episodes)]
    return recorded(root, "cartpole/expert-v0", played, module.observation_space, module.action_space, **metadata), module


def prepared(tmp_path, module):
    mixture = MixtureDataModule({"task": TaskSpec(module)}, cache_dir=str(tmp_path / "cache"), workers=1)
    mixture.prepare_data()
    mixture.setup("fit")
    return module


@pytest.mark.parametrize("steps", [1, 6])
def test_minari_reads_every_kind_of_value_as_it_was(root, steps):
    one = trajectory(NESTED, ACTIONS, steps)
    name = recorded(root, "nested-v0", [one], NESTED, ACTIONS)
    (read,) = minari.load_dataset(name).iterate_episodes()
    observations, actions = one.columns(NESTED, ACTIONS)
    np.testing.assert_array_equal(read.observations["image"], observations["image"])
    np.testing.assert_array_equal(read.observations["pose"], observations["pose"])
    np.testing.assert_array_equal(read.observations["switches"], observations["switches"])
    for ours, theirs in zip(observations["pair"], read.observations["pair"], strict=True):
        np.testing.assert_array_equal(theirs, ours)
    assert read.observations["goal"] == observations["goal"]
    assert read.actions["say"] == actions["say"]
    np.testing.assert_array_equal(read.actions["turn"], actions["turn"])
    np.testing.assert_array_equal(read.rewards, one.rewards)
    assert read.terminations.tolist() == [False] * (steps - 1) + [True]
    assert not read.truncations.any()


def test_the_same_data_set_comes_out_of_minaris_own_writer(root):
    """Ours is Minari's format, not only something that it happens to read."""
    one = trajectory(NESTED, ACTIONS)
    ours = minari.load_dataset(recorded(root, "ours-v0", [one], NESTED, ACTIONS))
    observations, actions = one.columns(NESTED, ACTIONS)
    ended = [False] * 3 + [True]
    buffer = EpisodeBuffer(None, None, None, observations, actions, list(one.rewards), ended, [False] * 4)
    theirs = minari.create_dataset_from_buffers(
        "theirs-v0",
        [buffer],
        observation_space=NESTED,
        action_space=ACTIONS,
        data_format="arrow",
        jpeg_encoding=False,
        algorithm_name="none",
        author="nobody",
        author_email="none",
        code_permalink="none",
    )

    tables = [
        dataset.dataset(str(one.storage.data_path / "0"), format="arrow", ignore_prefixes=["metadata"]).to_table()
        for one in (ours, theirs)
    ]
    columns = tables[0].column_names
    assert set(columns) <= set(tables[1].column_names)
    for column in columns:
        assert tables[0][column].to_pylist() == tables[1][column].to_pylist()


def test_a_data_set_gives_the_tokens_that_its_episodes_have(root, tmp_path):
    name, module = cartpole(root)
    read = prepared(tmp_path, MinariDataModule(name, val_episodes=1))
    expected = [read.tokenise(episode).timesteps.ids for episode in _episodes(module, range(4))]
    np.testing.assert_array_equal(read.stores["val"].ids, expected[0])
    np.testing.assert_array_equal(read.stores["train"].ids, np.concatenate(expected[1:]))


def _episodes(module, seeds):
    return [module._demonstrate(seed, None) for seed in seeds]


def test_environment_and_references_come_from_the_metadata(root, tmp_path):
    name, _ = cartpole(root, ref_min_score=20.0, ref_max_score=500.0, num_episodes_average_score=7)
    task = prepared(tmp_path, MinariDataModule(name)).control()
    assert task.make_env().spec.id == "CartPole-v1"
    assert (task.expert, task.random) == (Reference(500.0, 7), Reference(20.0, 7))


def test_references_are_measured_where_the_metadata_lack_them(root, tmp_path):
    name, _ = cartpole(root)
    task = prepared(tmp_path, MinariDataModule(name, reference_episodes=3)).control()
    assert task.expert == Reference(500.0, 4)
    assert task.random.episodes == 3
    assert task.random.mean < 100


def test_random_play_that_hangs_is_left_out_of_the_reference(root, tmp_path, caplog):
    walk = partial(gymnasium.make, "own/Walk-v0", faulty=True, first=REFERENCE_SEED)
    played = [trajectory(Walk.observation_space, Walk.action_space) for _ in range(4)]
    name = recorded(root, "walk-v0", played, Walk.observation_space, Walk.action_space, walk().spec)
    module = prepared(tmp_path, MinariDataModule(name, reference_episodes=HANGS + 1, time_limit=1.0))
    assert module.control().random.episodes == HANGS + 1 - 2
    assert f"seed {REFERENCE_SEED + HANGS}: no end within 1 s" in caplog.text
    assert f"seed {REFERENCE_SEED + RAISES}: ZeroDivisionError" in caplog.text


def test_without_rollouts_the_episodes_are_enough(root, tmp_path):
    name, _ = cartpole(root)
    module = prepared(tmp_path, MinariDataModule(name, rollouts=False))
    assert module.control() is None
    assert module.stores["train"].num_episodes == 2


def test_weak_episodes_are_left_out(root, tmp_path):
    module = ClassicControlDataModule("CartPole-v1")
    played = [module.play(seed) for seed in range(5)]
    weak = Trajectory(played[0].observations[:51], played[0].actions[:50], played[0].rewards[:50], True, {})
    name = recorded(root, "mixed-v0", [*played, weak], module.observation_space, module.action_space, ref_min_score=20.0)
    read = prepared(tmp_path, MinariDataModule(name, val_episodes=1, min_score=0.8))
    assert read.stores["train"].returns.tolist() == [500.0] * 4


def test_a_folder_is_a_data_set_too(root, tmp_path):
    name, _ = cartpole(root)
    assert MinariDataModule(str(root / name)).data.id == name


def test_an_unknown_name_is_told_with_near_matches(root):
    cartpole(root)
    with pytest.raises(UserError, match=r"unknown Minari data set 'cartpole/export-v0'; did you mean cartpole/expert-v0\?"):
        MinariDataModule("cartpole/export-v0")


def test_spaces_that_are_not_the_environments_are_told(root):
    name, _ = cartpole(root)
    other = trajectory(spaces.Box(-1, 1, (3,)), spaces.Discrete(2))
    name = recorded(root, "wrong-v0", [other, other], spaces.Box(-1, 1, (3,)), spaces.Discrete(2))
    with pytest.raises(UserError, match=r"data set wrong-v0: its observation_space is Box\(-1.0, 1.0, \(3,\).*Box\(\["):
        MinariDataModule(name)


def test_an_environment_that_cannot_be_made_is_told_with_the_way_out(root):
    module = ClassicControlDataModule("CartPole-v1")
    played = [module.play(seed) for seed in range(2)]
    name = recorded(root, "gone-v0", played, module.observation_space, module.action_space)
    file = root / name / "data" / "metadata.json"
    file.write_text(file.read_text().replace("gymnasium.envs.classic_control", "a_package_that_is_gone"))
    with pytest.raises(UserError, match=r"data set gone-v0: its environment CartPole-v1 cannot be made .*rollouts: false"):
        MinariDataModule(name)
    assert MinariDataModule(name, rollouts=False).control() is None


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("pose", np.full((2, 3), np.nan), "observation.pose, timestep 2: .* is outside Box"),
        ("goal", 7, "observation.goal, timestep 2: 7 is not a text"),
        ("switches", np.array([0, 1, 2]), "observation.switches, timestep 2: "),
        ("pair", (1, np.array([0, 0])), "observation.pair.0, timestep 2: 1 is outside Discrete"),
        ("pair", (3, np.array([0, 4])), "observation.pair.1, timestep 2: "),
    ],
)
def test_a_value_outside_its_space_is_named(key, value, message):
    one = trajectory(NESTED, ACTIONS)
    one.observations[2][key] = value
    with pytest.raises(UserError, match=message):
        one.columns(NESTED, ACTIONS)


def test_a_value_of_the_wrong_shape_is_named():
    with pytest.raises(UserError, match=r"observation: values of shape \(2,\), expected \(3,\)"):
        check(spaces.Box(-1, 1, (3,)), np.zeros((5, 2)), "observation")


def test_actions_without_bounds_are_scaled_by_the_data(root, tmp_path):
    observed, acted = spaces.Box(-1, 1, (2,), np.float32), spaces.Box(-np.inf, np.inf, (1,), np.float32)
    values = [np.array([40.0 * t - 50.0], np.float32) for t in range(4)]
    one = Trajectory([np.zeros(2, np.float32)] * 5, values, [0.0] * 4, True, {})
    name = recorded(root, "torques-v0", [one, one, one], observed, acted)
    module = prepared(tmp_path, MinariDataModule(name, rollouts=False, val_episodes=1))
    low, high = module.action_space.low[0], module.action_space.high[0]
    assert low < -50.0 < 70.0 < high
    ids = [row for row, _ in module.tokenizer.encode_actions(values)]
    np.testing.assert_allclose(module.tokenizer.decode_actions(ids), values, atol=(high - low) / 1024)
    assert MinariDataModule(cartpole(root, ref_min_score=0.0)[0]).measure_columns() == {}
