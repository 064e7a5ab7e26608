"""The whole of it, small: exact resume, two processes equal to one, evaluation that changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import lightning
import numpy as np
import pytest
import torch

from callbacks.rollout_evaluation import RolloutEvaluation
from gato_lightning.sequences.tasks import FINAL_SEED
from tests.tiny_runs import STEPS, Losses, data, module, trainer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("accumulate", [1, 2])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, cache, accumulate):
    whole, before, after = Losses(), Losses(stop_at=5), Losses()
    settings = {"accumulate_grad_batches": accumulate}
    trainer(tmp_path, whole, **settings).fit(module(), data(cache))
    checkpoint = lightning.pytorch.callbacks.ModelCheckpoint(tmp_path, every_n_train_steps=4, save_last=True)
    with pytest.raises(SystemExit):
        trainer(tmp_path, checkpoint, before, **settings, enable_checkpointing=True).fit(module(), data(cache))
    trainer(tmp_path, after, **settings).fit(module(), data(cache), ckpt_path=tmp_path / "last.ckpt")
    # Killed at step 5, after the checkpoint of step 4.
    np.testing.assert_array_equal(before.losses, whole.losses[: 5 * accumulate])
    np.testing.assert_array_equal(after.losses, whole.losses[4 * accumulate :])
    assert len(whole.losses) == STEPS * accumulate


class Seen(lightning.Callback):
    """Keeps the sequences that the model was given, by their ids."""

    def __init__(self) -> None:
        self.sequences: list[bytes] = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.sequences += [row.numpy().tobytes() for row in batch.ids]


@pytest.mark.parametrize(("batch_size", "accumulate"), [(2, 1), (6, 1), (2, 3), (4, 2), (3, 2)])
def test_a_run_that_resumes_otherwise_repeats_no_sequence(tmp_path, cache, batch_size, accumulate):
    """Six steps of 2 x 4 sequences, four of another kind, two more of the first: together as from one run."""
    kinds = [(4, 2, 6), (batch_size, accumulate, 10), (4, 2, STEPS)]
    seen: list[bytes] = []
    path = None
    for number, (size, batches, until) in enumerate(kinds):
        part = Seen()
        one = trainer(tmp_path, part, accumulate_grad_batches=batches, max_steps=until)
        one.fit(module(), data(cache, size), ckpt_path=path)
        assert one.global_step == until
        path = tmp_path / f"{number}.ckpt"
        one.save_checkpoint(path)
        seen += part.sequences
    assert len(seen) == 6 * 8 + 4 * batch_size * accumulate + 2 * 8
    whole = data(cache)
    whole.setup("fit")
    packer = whole.packer("train")
    expected = [whole._collate([packer(index)]).ids[0].numpy().tobytes() for index in range(len(seen))]
    assert seen == expected


def test_evaluation_changes_nothing_in_training(tmp_path, cache):
    plain, evaluated = Losses(), Losses()
    trainer(tmp_path, plain).fit(module(), data(cache))
    rollouts = RolloutEvaluation(every_n_steps=4, episodes=2, final_episodes=2, lanes=2, tasks=["pendulum"])
    trainer(tmp_path, rollouts, evaluated, val_check_interval=6).fit(module(), data(cache))
    np.testing.assert_array_equal(plain.losses, evaluated.losses)
    assert [len(score.returns) for score in rollouts.scores] == [2]


def test_accumulated_batches_equal_one_large_batch(tmp_path, cache):
    """Though the batches of a step differ in how many tokens they predict."""
    at_once, in_parts = module(0.0), module(0.0)
    trainer(tmp_path).fit(at_once, data(cache, batch_size=4))
    trainer(tmp_path, accumulate_grad_batches=2).fit(in_parts, data(cache, batch_size=2))
    for name, value in at_once.state_dict().items():
        torch.testing.assert_close(in_parts.state_dict()[name], value, rtol=1e-4, atol=1e-5, msg=name)


def test_two_processes_equal_one(tmp_path, cache):
    alone = Losses()
    data(cache).prepare_data()
    trainer(tmp_path, alone).fit(module(0.0), data(cache, batch_size=4))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "CACHE": str(cache),
        "OUT": str(tmp_path),
    }
    subprocess.run([sys.executable, __file__], check=True, env=environment, timeout=240, cwd=tmp_path)
    together = np.sum([np.load(tmp_path / f"rank{rank}.npy") for rank in range(2)], axis=0)
    np.testing.assert_allclose(together, alone.losses, rtol=2e-3)
    # The ranks share the tasks out: each is played once, and every rank knows of both.
    for rank in range(2):
        played = json.loads((tmp_path / f"rank{rank}.json").read_text())
        assert played == {"cartpole": [FINAL_SEED, FINAL_SEED + 1], "pendulum": [FINAL_SEED, FINAL_SEED + 1]}


def _two_processes() -> None:
    """What each of the two processes of the test runs."""
    losses, folder = Losses(), Path(os.environ["OUT"])
    rollouts = RolloutEvaluation(final_episodes=2, lanes=2, workers=1)
    run = trainer(folder, losses, rollouts, devices=2, strategy="ddp", use_distributed_sampler=False)
    run.fit(module(0.0), data(Path(os.environ["CACHE"]), batch_size=2))
    np.save(folder / f"rank{run.global_rank}.npy", losses.losses)
    assert len(rollouts.scores) == 2
    seeds = {score.task: [one.seed for one in score.finished] for score in rollouts.scores}
    (folder / f"rank{run.global_rank}.json").write_text(json.dumps(seeds))


if __name__ == "__main__":
    torch.set_num_threads(1)
    _two_processes()
