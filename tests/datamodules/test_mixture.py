"""The mixture: demonstrations are collected once, batches are the same for any number of ranks, mistakes are named."""

from types import SimpleNamespace

import gymnasium
import numpy as np
import pytest
import torch
from lightning.pytorch import Trainer

from datamodules.control.classic_control import ClassicControlDataModule
from datamodules.control.expert_task import ControlDataModule
from datamodules.control.toy_text import ToyTextDataModule
from datamodules.mixture import MixtureDataModule, SequenceDataset, StepSampler, TaskSpec
from gato_lightning.errors import UserError
from gato_lightning.sequences.segments import PromptSettings


def cartpole(**settings) -> ClassicControlDataModule:
    return ClassicControlDataModule("CartPole-v1", **{"episodes": 3, "val_episodes": 1, "reference_episodes": 3, **settings})


def mixture(cache, tasks=None, **settings) -> MixtureDataModule:
    tasks = tasks or {"cartpole": TaskSpec(cartpole()), "noisy": TaskSpec(cartpole(noise=0.5, min_score=None), 3.0)}
    return MixtureDataModule(tasks, **{"context_length": 64, "cache_dir": str(cache), "workers": 2, **settings})


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> MixtureDataModule:
    one = mixture(tmp_path_factory.mktemp("cache"))
    one.prepare_data()
    one.setup("fit")
    return one


def test_demonstrations_are_found_again_and_a_changed_setting_makes_new_ones(data, tmp_path):
    folder = data.tasks["cartpole"].datamodule.folder("train")
    written = (folder / "ids.npy").stat().st_mtime_ns
    again = mixture(folder.parent)
    again.prepare_data()
    assert (folder / "ids.npy").stat().st_mtime_ns == written
    assert again.tasks["cartpole"].datamodule.folder("train") == folder
    other = mixture(folder.parent, {"cartpole": TaskSpec(cartpole(noise=0.1))})
    assert other.tasks["cartpole"].datamodule.folder("train") != folder
    # What only changes sampling does not collect anew.
    window = mixture(folder.parent, {"cartpole": TaskSpec(cartpole(timesteps=4))})
    assert window.tasks["cartpole"].datamodule.folder("train") == folder


def test_collection_is_the_same_for_any_number_of_workers(data, tmp_path):
    one = mixture(tmp_path, workers=1)
    one.prepare_data()
    for name, spec in one.tasks.items():
        ours, theirs = spec.datamodule.folder("train"), data.tasks[name].datamodule.folder("train")
        np.testing.assert_array_equal(np.load(ours / "ids.npy"), np.load(theirs / "ids.npy"))


def test_acting_is_told_how_long_the_prompts_of_training_are(data):
    again = mixture(data.tasks["cartpole"].datamodule.folder("train").parent, prompts=PromptSettings(length=12))
    again.setup("fit")
    assert [task.prompt_length for task in again.control_tasks().values()] == [12, 12]


def test_references_are_measured_apart_from_the_noise(data):
    clean, noisy = (data.tasks[name].datamodule.stores["train"].meta["references"] for name in data.tasks)
    assert clean == noisy
    assert clean["expert"] == {"mean": 500.0, "episodes": 3}
    assert clean["random"]["mean"] < 100


def test_ranks_share_the_batches_of_one_process(data):
    whole = [index for batch in StepSampler(0, 5, 4, 0, 1) for index in batch]
    ranks = [list(StepSampler(0, 5, 2, rank, 2)) for rank in range(2)]
    assert whole == [index for pair in zip(*ranks, strict=True) for batch in pair for index in batch]
    assert list(StepSampler(3, 5, 4, 0, 1)) == list(StepSampler(0, 5, 4, 0, 1))[3:]


def running(step, ranks, rank=0, accumulate=1):
    batches = SimpleNamespace(ready=step, started=step, processed=step, completed=step)
    fit_loop = SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(current=batches)))
    settings = {"accumulate_grad_batches": accumulate, "max_steps": 12, "global_rank": rank, "world_size": ranks}
    return SimpleNamespace(global_step=step, fit_loop=fit_loop, **settings)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_other_ranks_go_on_with_the_sequences_not_yet_seen(data, ranks):
    """Five steps on two ranks, then the other seven."""
    one = mixture(data.tasks["cartpole"].datamodule.folder("train").parent, batch_size=4)
    one.setup("fit")

    def first_batches(state, step, ranks, count):
        seen = []
        for rank in range(ranks):
            if state:
                one.load_state_dict(state)
            one.trainer = running(step, ranks, rank)
            seen += [
                index for _, batch in zip(range(count), one.train_dataloader().batch_sampler, strict=False) for index in batch
            ]
        one.trainer.global_step += count
        return sorted(seen), one.state_dict()

    before, state = first_batches(None, 0, 2, 5)
    after, _ = first_batches(state, 5, ranks, 7)
    assert before + after == list(range(5 * 2 * 4 + 7 * ranks * 4))
    one.trainer = None


@pytest.mark.parametrize("workers", [0, 2])
def test_loader_workers_change_nothing(data, workers):
    data.loader_workers = workers
    loader = data._loader(SequenceDataset(data.packer("train"), 8), StepSampler(0, 2, 4, 0, 1))
    ids = torch.stack([batch.ids for batch in loader])
    expected = torch.stack([data._collate([data.packer("train")(i) for i in range(b, b + 4)]).ids for b in (0, 4)])
    assert torch.equal(ids, expected)


def test_predicted_shares_are_of_what_is_predicted(data):
    shares = data.predicted_shares(50)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert set(shares) == {"action_discrete"}  # numbers are observed


def test_mixture_table_says_what_the_run_sees(data):
    """Epochs times tokens are the slots of the run that are filled; counted here, task by task."""
    data.trainer = Trainer(max_steps=25, accumulate_grad_batches=2, logger=False, accelerator="cpu", enable_checkpointing=False)
    *rows, padding = data.mixture_table(400)
    data.trainer = None
    assert [row["weight"] for row in rows] == [0.25, 0.75]
    assert padding["weight"] < 0.1
    packer, slots = data.packer("train"), np.zeros(2)
    for index in range(25 * 2 * data.batch_size):
        for part in packer(index):
            slots[part.task[0]] += len(part.ids)
    tokens = [data.tasks[name].datamodule.stores["train"].num_slots for name in data.tasks]
    assert [row["tokens"] for row in rows] == tokens
    np.testing.assert_allclose([row["epochs"] for row in rows], slots / tokens, rtol=0.2)


def test_a_domain_has_the_weight_that_is_given(tmp_path):
    tasks = {name: TaskSpec(cartpole(), weight) for name, weight in {"a": 1.0, "b": 3.0}.items()}
    lake = ToyTextDataModule("FrozenLake-v1", episodes=3, val_episodes=1, reference_episodes=3)
    both = mixture(tmp_path, {**tasks, "lake": TaskSpec(lake, 0.5)}, domain_weights={"classic-control": 1.5})
    np.testing.assert_allclose(both.shares, [1.5 / 4 / 2, 1.5 * 3 / 4 / 2, 0.5 / 2])


@pytest.mark.parametrize(
    ("domain_weights", "message"),
    [
        ({"clasic-control": 1.0}, "unknown domain in data.domain_weights 'clasic-control'; did you mean classic-control"),
        ({"classic-control": -1.0}, "domain_weights.classic-control: -1.0"),
        ({"classic-control": 0.0}, "all weights are 0"),
    ],
)
def test_domain_weights_are_checked(tmp_path, domain_weights, message):
    with pytest.raises(UserError, match=message):
        mixture(tmp_path, domain_weights=domain_weights)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ({}, "data.tasks: empty"),
        ({"a": -1.0}, "TaskSpec.weight: -1.0"),
        ({"a": float("nan")}, "TaskSpec.weight: nan"),
        ({"a": 0.0}, "all weights are 0"),
    ],
)
def test_weights_are_checked(tmp_path, tasks, message):
    with pytest.raises(UserError, match=message):
        MixtureDataModule({name: TaskSpec(cartpole(), weight) for name, weight in tasks.items()}, cache_dir=str(tmp_path))


def test_a_control_task_that_is_none_is_named_with_near_matches(data):
    with pytest.raises(UserError, match=r"cartpol.*did you mean cartpole"):
        data.control_tasks(["cartpol"])


def test_a_timestep_longer_than_the_context_is_named(data):
    folder = data.tasks["cartpole"].datamodule.folder("train").parent
    with pytest.raises(UserError, match="task cartpole: a timestep of 6 tokens is longer than the context of 4: observation"):
        mixture(folder, {"cartpole": TaskSpec(cartpole())}, context_length=4)


class Faulty(ControlDataModule):
    """CartPole whose sensors fail at the third timestep."""

    domain = "test"

    def __init__(self, **settings) -> None:
        super().__init__(**settings)
        env = gymnasium.make("CartPole-v1")
        self.observation_space, self.action_space = env.observation_space, env.action_space

    def make_env(self, render_mode=None):
        env = gymnasium.make("CartPole-v1", disable_env_checker=True)
        return gymnasium.wrappers.TransformObservation(env, lambda o: o, env.observation_space)

    def make_expert(self, env):
        self._steps = 0

        def act(observation, executed):
            self._steps += 1
            if self._steps == 3:
                observation[1] = np.nan
            return 0

        return act


def test_nan_is_refused_with_task_episode_timestep_and_key(tmp_path):
    tasks = {"faulty": TaskSpec(Faulty(episodes=2, val_episodes=1, reference_episodes=2))}
    with pytest.raises(UserError, match=r"task faulty, train episode 0.*observation, timestep 2: NaN at element 1"):
        mixture(tmp_path, tasks, workers=1).prepare_data()  # one worker: the training episodes come first
    assert list(tmp_path.iterdir()) == []
