"""The training step: forward, backward and the optimiser's step on the same tokens."""

import time
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import nn

from benchmarks import work
from benchmarks.harness import Row, rows
from benchmarks.peers import Gpt2
from benchmarks.work import MID, SMALL, SMALL_8, Size
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.training.loss import token_losses
from gato_lightning.training.optimizer import OptimizerConfig, make_optimizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
AS_USED = "GPT-2 as used: all logits, AdamW"
AT_BEST = "GPT-2 with our head and optimiser: logits at losses, fused AdamW"
TASKS: dict[str, tuple[Callable[[], Any], Callable[..., Any], dict[str, int]]] = {
    "control": (work.control_space, work.control_values, {}),
    "images, all patches distinct": (work.image_space, work.noise_frames, {"patch_stride": 1}),
    "images, all patches distinct, patch_stride 4": (work.image_space, work.noise_frames, {"patch_stride": 4}),
    "images, still background, patch_stride 4": (work.image_space, work.still_frames, {"patch_stride": 4}),
}


class Step:
    """A training step of one side, as a call.

    Args:
        model: what is trained.
        loss: the mean loss of the batch.
        optimizer: of the model's parameters.
        batch: what it is trained on.
        dtype: bf16 is autocast, as in training.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Callable[[TokenBatch], torch.Tensor],
        optimizer: torch.optim.Optimizer,
        batch: TokenBatch,
        dtype: torch.dtype,
    ) -> None:
        self.model, self.loss, self.optimizer, self.batch, self.dtype = model.train(), loss, optimizer, batch, dtype

    def __call__(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", self.dtype, enabled=self.dtype != torch.float32):
            loss = self.loss(self.batch)
        loss.backward()
        self.optimizer.step()


def make_step(side: str, size: Size, batch: TokenBatch, dtype: torch.dtype, changes: dict[str, Any] | None = None) -> Step:
    """The step of a side: `ours`, or one of the peers; `changes` are settings of our model."""
    torch.manual_seed(0)
    if side.startswith("ours"):
        model = Gato(size.config(**(changes or {})))
        optimizer, _ = make_optimizer(model, OptimizerConfig(), 1000)
        return Step(model, lambda batch: token_losses(model, batch).mean(), optimizer, batch, dtype)
    peer = Gpt2(size, loss_only_head=side == AT_BEST)
    optimizer = torch.optim.AdamW(peer.parameters(), lr=1e-4, fused=side == AT_BEST)
    return Step(peer, peer.loss, optimizer, batch, dtype)


def useful_operations(size: Size, batch: TokenBatch, patch_stride: int = 1) -> float:
    """Floating-point operations of a training step that the formulas ask for: three times those of a forward pass.

    A causal attention's upper half, empty slots of the head, and a gradient of the pixels are not asked for.
    """
    tokens, d, feedforward = batch.ids.numel(), size.width, 4 * size.width
    per_token = size.depth * (4 * d * d + 1.5 * d * feedforward + d * size.context_length)
    side, channels = 16 // patch_stride, 64
    kernel = 9 if patch_stride <= 2 else patch_stride**2
    convolutions = side**2 * (2 * 9 * channels**2 + 2 / 3 * kernel * 3 * channels)
    patch = convolutions + channels * side**2 * d
    products = tokens * per_token + len(batch.targets) * d * 33026 + len(batch.patches) * patch
    return 3 * 2 * products


@cache
def peak(dtype: torch.dtype, threads: int) -> float:
    """Operations a second of this machine's fastest large matrix product."""
    assert torch.get_num_threads() == threads
    clock, best = time.process_time if threads == 1 else time.perf_counter, 0.0
    for n in (1024, 2048):
        a, b = torch.randn(n, n).to(dtype), torch.randn(n, n).to(dtype)
        for _ in range(6):
            begin = clock()
            a @ b
            best = max(best, 2 * n**3 / (clock() - begin))
    return best


def measure(task: str, size: Size, dtype: str, threads: int, seconds: float) -> list[Row]:
    """Our step against both peers' on one batch."""
    torch.set_num_threads(threads)
    space, observe, changes = TASKS[task]
    batch = work.make_batch(space(), observe, size)
    sides = {side: make_step(side, size, batch, DTYPES[dtype], changes) for side in ("ours", AS_USED, AT_BEST)}
    title = f"{size.name} {task}, {dtype}, {threads} thread{'s' * (threads > 1)}"
    clock = time.process_time if threads == 1 else time.perf_counter
    result = rows("Training step, tokens", title, sides, batch.ids.numel(), seconds, clock)
    operations = useful_operations(size, batch, changes.get("patch_stride", 1))
    result[0].extra["share of peak"] = f"{operations / result[0].median / peak(DTYPES[dtype], threads):.0%}"
    for row in result:
        parameters = sum(p.numel() for p in sides[row.side].model.parameters())
        row.extra["parameters"] = f"{parameters / 1e6:.1f}M"
    return result


def run(full: bool) -> list[Row]:
    """Small and mid size on one thread; in full, also batch 8, images and all threads."""
    control = "control"
    wanted = [(control, size, dtype, 1) for size in (SMALL, MID) for dtype in DTYPES]
    wanted += [(task, SMALL, dtype, 1) for task in TASKS if task != control for dtype in DTYPES] if full else []
    if full:
        wanted += [(control, SMALL_8, dtype, 1) for dtype in DTYPES]
        threads = torch.get_num_threads()
        wanted += [(control, size, dtype, threads) for size in (SMALL, MID) for dtype in DTYPES]
    return [row for one in wanted for row in measure(*one, seconds=2.0 if full else 0.5)]
