"""Attention in blocks is PyTorch's attention under the mask, forward and backward, and leaves out what is hidden."""

import pytest
import torch
import torch.nn.functional as F

from gato_lightning.model.block_attention import BlockAttention, query_blocks, turn
from gato_lightning.model.transformer import rotary_angles, segment_mask

B, L, H, K = 2, 300, 3, 16


@pytest.fixture
def packed() -> tuple[torch.Tensor, torch.Tensor]:
    """Position and mask of two sequences of segments; the second ends with empty slots."""
    position = torch.arange(L) % torch.tensor([[300], [70]])
    segment = 1 + torch.arange(L) // torch.tensor([[300], [70]])
    segment[1, 280:] = 0
    return position, segment_mask(segment)


def reference(qkv, angles, mask):
    """The formula in fp32, by PyTorch's own attention and automatic differentiation."""
    qk = turn(qkv[:, :, :2], *angles) if angles else qkv[:, :, :2]
    q, k = qk.permute(2, 0, 3, 1, 4)
    return F.scaled_dot_product_attention(q, k, qkv[:, :, 2].transpose(1, 2), attn_mask=mask).transpose(1, 2).flatten(2)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.05)])
@pytest.mark.parametrize("rotary", [True, False])
def test_equal_to_the_formula(packed, dtype, tolerance, rotary):
    position, mask = packed
    torch.manual_seed(0)
    qkv = torch.randn(B, L, 3, H, K).to(dtype).requires_grad_()
    grad = torch.randn(B, L, H * K).to(dtype)
    angles = rotary_angles(position, K, dtype) if rotary else None
    ours = BlockAttention.apply(qkv, *(angles or (None, None)), query_blocks(mask, dtype))
    [d_ours] = torch.autograd.grad(ours, qkv, grad)
    exact = qkv.detach().float().requires_grad_()
    theirs = reference(exact, rotary_angles(position, K, torch.float32) if rotary else None, mask)
    [d_theirs] = torch.autograd.grad(theirs, exact, grad.float())
    torch.testing.assert_close(ours.float(), theirs, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(d_ours.float(), d_theirs, rtol=tolerance, atol=tolerance)


def test_blocks_hold_all_that_is_seen_and_leave_out_what_is_not(packed):
    _, mask = packed
    parts = query_blocks(mask[1:], torch.float32)  # segments of 70 slots
    whole = torch.full((1, 1, L, L), float("-inf"))
    for queries, keys, hidden in parts:
        whole[:, :, queries, keys] = hidden
    assert torch.equal(whole == 0, mask[1:])
    assert [(part.keys.start, part.keys.stop) for part in parts] == [(0, 128), (70, 256), (210, 300)]


def test_turning_back_undoes_a_turn():
    x = torch.randn(B, L, 1, H, K)
    cos, sin = rotary_angles(torch.arange(L).expand(B, L), K, torch.float32)
    torch.testing.assert_close(turn(turn(x, cos, sin), cos, sin, back=True), x, rtol=1e-4, atol=1e-5)
