"""In which dtype matrix products run, and which one suits the machine at hand."""

import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from lightning.pytorch.utilities import rank_zero_warn
from torch import Tensor

_SIDE, _ROUNDS = 256, 5  # of the matrices that `bf16_factor` multiplies, and how often


def compute_dtype(like: Tensor) -> torch.dtype:
    """The dtype of matrix products of a tensor: autocast's where it is on, otherwise the tensor's own."""
    device = like.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else like.dtype


@dataclass(frozen=True)
class PrecisionChoice:
    """The precision of a run.

    Args:
        precision: as Lightning's Trainer takes it.
        why: one line on the reason.
    """

    precision: str
    why: str

    def __str__(self) -> str:
        return f"{self.precision} ({self.why})"


@cache
def bf16_factor() -> float:
    """The CPU time of a matrix product in bf16, over its time in fp32.

    Below 1 on a CPU with bf16 instructions (AVX-512 BF16, AMX, Arm BF16), and far above it on one without, which converts every
    number back and forth. Measured, not read off the CPU's flags, as libraries and their settings (`ONEDNN_MAX_CPU_ISA`) decide
    which instructions are used. Takes some hundredths of a second, once a process.
    """
    seconds = {dtype: float("inf") for dtype in (torch.float32, torch.bfloat16)}
    for _ in range(_ROUNDS):
        for dtype in seconds:
            a = torch.ones(_SIDE, _SIDE, dtype=dtype)
            begin = time.process_time()
            a @ a
            seconds[dtype] = min(seconds[dtype], time.process_time() - begin)
    return seconds[torch.bfloat16] / seconds[torch.float32]


def suitable_precision(device: str) -> PrecisionChoice:
    """The faster one of `bf16-mixed` and `32-true` on a kind of device.

    Args:
        device: `cuda`, `cpu`, or the name of another kind, for which nothing is known and `32-true` is right.
    """
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return PrecisionChoice("bf16-mixed", f"{torch.cuda.get_device_name()} has bf16")
        return PrecisionChoice("32-true", f"{torch.cuda.get_device_name()} has no bf16")
    if device == "cpu":
        factor = bf16_factor()
        why = f"a matrix product in bf16 takes this CPU {factor:.2g} times as long as in fp32"
        return PrecisionChoice("bf16-mixed" if factor < 1.0 else "32-true", why)
    return PrecisionChoice("32-true", f"nothing is known of bf16 on {device}")


def choose_precision(asked: str, device: str) -> PrecisionChoice:
    """The precision of a run; warns where the one that is asked for by name is slow on a CPU.

    Args:
        asked: as Lightning's Trainer takes it, or `auto`.
        device: the kind of device that it runs on.
    """
    if asked == "auto":
        return suitable_precision(device)
    # Lightning takes bf16-mixed where 16-mixed is asked for on a CPU.
    if device == "cpu" and asked.startswith(("bf16", "16")) and bf16_factor() > 1.0:
        slow = suitable_precision(device).why
        rank_zero_warn(f"trainer.precision {asked}: {slow}; `auto` takes 32-true here", stacklevel=2)
    return PrecisionChoice(asked, "asked for by name")


def arithmetic(device: str) -> AbstractContextManager[Any]:
    """The context in which a model runs by `suitable_precision`, where there is no Trainer."""
    mixed = suitable_precision(device).precision == "bf16-mixed"
    return torch.autocast(device, torch.bfloat16, cache_enabled=False) if mixed else nullcontext()
