"""The loss is the formula's: hand-made numbers, only slots with m = 1, and nothing lost by computing logits only there."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker, collate
from gato_lightning.tokens.vocabulary import Kind, Vocabulary
from gato_lightning.training.loss import LinearCrossEntropy, token_losses


def test_hand_made_numbers():
    # Logits (0, log 3): p = 1/4, 3/4. Loss of targets 0 and 1: log 4, log 4/3.
    states = torch.tensor([[1.0], [1.0]], requires_grad=True)
    weight = torch.tensor([[0.0], [np.log(3.0)]], dtype=torch.float32)
    losses = LinearCrossEntropy.apply(states, weight, torch.tensor([0, 1]))
    torch.testing.assert_close(losses, torch.tensor([np.log(4.0), np.log(4.0 / 3.0)], dtype=torch.float32))
    losses.sum().backward()
    # d/ds (-log p_k) = sum_j p_j w_j - w_k = 0.75 log 3 - w_k
    torch.testing.assert_close(states.grad, torch.tensor([[0.75], [-0.25]]) * np.log(3.0), check_dtype=False)


def test_equal_to_the_two_separate_operations():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(300, 16, generator=generator, requires_grad=True)
    weight = torch.randn(500, 16, generator=generator, requires_grad=True)
    targets = torch.randint(500, (300,), generator=generator)
    scale = torch.rand(300, generator=generator)
    grads = []
    for losses in (
        LinearCrossEntropy.apply(states, weight, targets),
        F.cross_entropy(F.linear(states, weight), targets, reduction="none"),
    ):
        grads.append((losses, *torch.autograd.grad((losses * scale).sum(), (states, weight))))
    for ours, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_likely_and_unlikely_targets_keep_their_loss_and_gradient(dtype):
    # Logits (x, 0, 0, 0), all exact in any dtype: p = 1 / (1 + 3 exp(-x)) of id 0.
    logits = torch.tensor([7.59375, 3.0, 0.0, -3.0, -14.75])
    states, weight = logits[:, None].requires_grad_(), torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        losses = LinearCrossEntropy.apply(states, weight, torch.zeros(5, dtype=torch.int64))
    miss = 3.0 / (logits.exp() + 3.0)
    assert 0.9984 < 1.0 - miss[0] < 0.9986
    torch.testing.assert_close(losses, torch.log1p(3.0 * (-logits).exp()), rtol=0.01, atol=0.0)
    losses.sum().backward()
    # d loss / d x = p - 1
    torch.testing.assert_close(states.grad[:, 0], -miss, rtol=0.02, atol=0.0)


def batch_of(store, count=4):
    packer = SequencePacker([SegmentSampler(store, 128, PromptSettings(length=20), 2)], np.ones(1), 128, 0)
    return collate([packer(i) for i in range(count)], 128, Vocabulary())


def test_loss_only_head_equals_the_full_head(store, tiny_model):
    batch = batch_of(store)
    logits = tiny_model.logits(tiny_model(batch))  # (B, L, V)
    full = F.cross_entropy(logits[:, :-1].flatten(0, 1), batch.ids[:, 1:].flatten(), reduction="none").view(4, -1)
    mask = torch.zeros(4 * 128, dtype=torch.bool).index_fill(0, batch.targets, True).view(4, 128)[:, 1:]
    torch.testing.assert_close(token_losses(tiny_model, batch), full[mask], rtol=1e-4, atol=1e-5)


def test_observations_do_not_count(store, tiny_model):
    batch = batch_of(store)
    logits = tiny_model.logits(tiny_model(batch))
    total = sum(
        -logits[b, slot - 1].log_softmax(-1)[batch.ids[b, slot]]
        for b in range(4)
        for slot in range(1, 128)
        if Kind.ACTION_TEXT <= batch.kinds[b, slot] <= Kind.ACTION_CONTINUOUS
    )
    torch.testing.assert_close(token_losses(tiny_model, batch).sum(), total, rtol=1e-4, atol=1e-3)


def test_packed_loss_equals_the_loss_of_each_segment_alone(store, tiny_model):
    batch = batch_of(store)
    packed = torch.zeros(4 * 128).index_put((batch.targets,), token_losses(tiny_model, batch)).view(4, 128)
    for row in range(4):
        for segment in range(1, int(batch.segment[row].max()) + 1):
            slots = batch.segment[row] == segment
            before = int(slots.nonzero()[0])
            here = batch.patch_slots // 128 == row
            inside = here & slots[batch.patch_slots % 128]
            alone = dataclasses.replace(
                batch,
                **{name: getattr(batch, name)[row : row + 1, slots] for name in ("ids", "kinds", "local", "position", "task")},
                segment=torch.ones(1, int(slots.sum()), dtype=torch.int64),
                targets=(batch.targets - row * 128 - before)[(batch.targets // 128 == row) & slots[batch.targets % 128]],
                patch_slots=(batch.patch_slots - row * 128 - before)[inside],
                patch_index=batch.patch_index[inside],
                patch_intervals=batch.patch_intervals[inside],
            )
            expected = packed[row, slots][alone.targets]
            assert len(expected)
            torch.testing.assert_close(token_losses(tiny_model, alone), expected, rtol=1e-4, atol=1e-5)
