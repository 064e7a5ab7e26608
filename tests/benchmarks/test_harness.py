"""The harness: sides take turns, ratios are of the same round, and the peers do the work that is claimed."""

import json

import torch

from benchmarks import harness, work
from benchmarks.peers import Gpt2
from benchmarks.training import AS_USED, AT_BEST, make_step

TINY = work.Size("tiny", depth=1, width=32, heads=2, context_length=96, batch_size=2)


def test_sides_take_turns():
    calls: list[str] = []
    harness.interleave({name: lambda name=name: calls.append(name) for name in "ab"}, seconds=0.0, rounds=5)
    measured = [name for name, before in zip(calls, ["", *calls], strict=False) if name != before]
    assert "".join(measured) == "ab" * 6  # a round of warming up, and five


def test_ratio_is_the_median_of_the_rounds_and_everything_is_written(tmp_path):
    ours = harness.Row("t", "w", "ours", [1.0, 2.0, 4.0], amount=8.0)
    theirs = harness.Row("t", "w", "theirs", [2.0, 3.0, 4.0], amount=8.0, against=ours.seconds)
    assert theirs.cells()["theirs / ours"] == "1.50"
    assert ours.cells()["units/s"] == "4"
    assert "| w | theirs | 3000 |" in harness.markdown([ours, theirs])
    harness.write(tmp_path / "out" / "r.json", harness.machine(), [ours, theirs])
    assert json.loads((tmp_path / "out" / "r.json").read_text())["results"][1]["seconds"] == [2.0, 3.0, 4.0]


def test_peers_have_one_loss_with_either_head():
    batch = work.make_batch(work.image_space(), work.still_frames, TINY)
    assert len(batch.patch_slots) == 2 * 2 * 36
    assert len(batch.targets) == 2 * 2 * 4
    losses = []
    for loss_only in (False, True):
        torch.manual_seed(0)
        losses.append(Gpt2(TINY, loss_only).loss(batch))
    torch.testing.assert_close(*losses)


def test_every_side_trains():
    batch = work.make_batch(work.control_space(), work.control_values, TINY)
    for side in ("ours", AS_USED, AT_BEST):
        step = make_step(side, TINY, batch, torch.float32)
        first = step.loss(batch).item()
        for _ in range(5):
            step()
        assert step.loss(batch).item() < first, side
