"""What fails on one rank ends the work of all, with the same line, and none waits for it: two processes over gloo."""

import multiprocessing
from types import SimpleNamespace

import pytest
import torch

import callbacks.scoring.held_out_text
from callbacks.scoring.held_out_text import HeldOutTextCallback
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.common.ranks import all_gather, together
from gato_lightning.errors import UserError
from gato_lightning.sequences.tasks import GenerationTask

PATIENCE = 60.0  # seconds


class Copying(HeldOutTextCallback):
    """Keeps what was written for each task; on one rank something fails on the way."""

    kinds = ("text",)

    def __init__(self):
        super().__init__(0, 0)
        self.texts = {}

    def evaluate(self, trainer, module, name, task, at_end):
        self.texts[name] = self.write(trainer, module, name, task.observations, DecodingSettings(), task.observations)


def both_are_well(rank):
    with together():
        value = rank * 10
    return all_gather(value)


def a_users_mistake(rank):
    with together():
        if rank == 1:
            raise UserError("task a: no such file")


def a_fault_of_both(rank):
    with together():
        raise LookupError(f"seen by {rank}")


def one_after_the_other(rank):
    try:
        a_users_mistake(rank)
    except UserError:
        return all_gather(rank)


def held_out_text(rank):
    """The first task cannot be read on rank 1, the second not written on rank 0; the third is as it should be."""

    def generation(name):
        if (rank, name) == (1, "unread"):
            raise OSError("disk gone")
        return GenerationTask("text", [f"{name} {i}" for i in range(3)], [["x"]] * 3, [""] * 3)

    def write(gato, tokenizer, observations, settings, generator, openings):
        if (rank, observations[0].split()[0]) == (0, "unwritten"):
            raise RuntimeError("out of memory")
        return [one.upper() for one in observations]

    def spec(name):
        return SimpleNamespace(datamodule=SimpleNamespace(generation=lambda: generation(name), tokenizer=None))

    names = ("unread", "unwritten", "whole")
    data = SimpleNamespace(tasks={name: spec(name) for name in names})
    trainer = SimpleNamespace(global_rank=rank, world_size=2, global_step=0, datamodule=data)
    trainer.precision_plugin = SimpleNamespace(forward_context=torch.no_grad)
    module = SimpleNamespace(training=True, eval=lambda: None, train=lambda mode: None, model=None)
    callbacks.scoring.held_out_text.generate_text = write  # in this process alone
    callback = Copying()
    callback.on_train_start(trainer, module)
    callback.on_train_end(trainer, module)
    return callback.texts


CASES = (held_out_text, both_are_well, a_users_mistake, a_fault_of_both, one_after_the_other)


def work(rank, folder, answers):
    torch.distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    for case in CASES:
        try:
            answer = case(rank)
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        answers.put((case.__name__, rank, answer))


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """By case, what came of it on both ranks."""
    context, folder = multiprocessing.get_context("fork"), tmp_path_factory.mktemp("ranks")
    queue = context.Queue()
    processes = [context.Process(target=work, args=(rank, folder, queue), daemon=True) for rank in range(2)]
    for process in processes:
        process.start()
    try:
        found = sorted((queue.get(timeout=PATIENCE) for _ in range(2 * len(CASES))), key=lambda one: one[1])
    finally:
        for process in processes:
            process.kill()
    return {case.__name__: [answer for name, _, answer in found if name == case.__name__] for case in CASES}


def test_values_are_gathered_where_all_are_well(answers):
    assert answers["both_are_well"] == [[0, 10]] * 2


def test_all_ranks_end_with_the_line_of_the_one_that_failed(answers):
    assert answers["a_users_mistake"] == ["UserError: task a: no such file"] * 2
    assert answers["a_fault_of_both"] == ["RankFailure: rank 0: LookupError: seen by 0"] * 2
    assert answers["one_after_the_other"] == [[0, 1]] * 2, "and can go on together"


def test_a_task_that_fails_on_one_rank_is_left_out_on_all_and_the_others_are_written(answers):
    assert answers["held_out_text"] == [{"whole": ["WHOLE 0", "WHOLE 1", "WHOLE 2"]}] * 2


def test_one_process_raises_what_was_raised():
    with pytest.raises(LookupError, match="here"), together():
        raise LookupError("here")
    assert all_gather(3) == [3]
