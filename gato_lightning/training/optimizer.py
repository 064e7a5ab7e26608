"""AdamW with weight decay on matrices only; linear warm-up, then cosine (Gato, appendix D)."""

import math
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer
from torch.optim.lr_scheduler import LRScheduler

from gato_lightning.common.settings import NonNegativeFloat, NonNegativeInt, PositiveFloat, Share, ShareBelowOne, check_settings
from gato_lightning.errors import UserError


@dataclass(frozen=True)
class OptimizerConfig:
    """Settings of the optimiser.

    Args:
        learning_rate: at its peak; above 0.
        betas: of AdamW, each in [0, 1).
        eps: of AdamW; above 0.
        weight_decay: on matrices; vectors (norms, biases) have none; 0 or more.
        warmup_steps: steps of linear warm-up; fewer where the run is shorter; 0 or more.
        warmup_from: learning rate of the first step; above 0, at most `learning_rate`.
        final_fraction: of the peak, where the cosine ends; in [0, 1].
    """

    learning_rate: PositiveFloat = 1e-4
    betas: tuple[ShareBelowOne, ShareBelowOne] = (0.9, 0.95)
    eps: PositiveFloat = 1e-8
    weight_decay: NonNegativeFloat = 0.1
    warmup_steps: NonNegativeInt = 15000
    warmup_from: PositiveFloat = 1e-7
    final_fraction: Share = 0.1

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
        if self.warmup_from > self.learning_rate:
            limit = f"at most learning_rate, which is {self.learning_rate}"
            raise UserError(f"OptimizerConfig.warmup_from: {self.warmup_from}, expected {limit}")


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Matrices (tables and kernels too) with weight decay, vectors without."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]


class WarmupCosine(LRScheduler):
    """Linear warm-up, then a cosine down to a share of the peak, where it stays.

    Behind the warm-up the rate never rises, unless a resumed run asks for another peak: one that is resumed with more steps
    than before keeps its rate until the longer cosine has come down to it. torch's own schedules take the old number of steps
    from the checkpoint, and climb behind it.

    Args:
        optimizer: whose groups have the peak as their rate.
        warmup: steps of the warm-up.
        total: steps at whose end the lowest rate is reached.
        warmup_from: rate of the first step.
        final_fraction: of the peak, at the end.
    """

    def __init__(self, optimizer: Optimizer, warmup: int, total: int, warmup_from: float, final_fraction: float) -> None:
        self.warmup, self.total = warmup, total
        self.warmup_from, self.final_fraction = warmup_from, final_fraction
        super().__init__(optimizer)

    def get_lr(self) -> list[float | Any]:
        """The rate of each group in the step to come."""
        step = self.last_epoch  # torch's name for the steps so far
        if step < self.warmup:
            return [self.warmup_from + (peak - self.warmup_from) * step / self.warmup for peak in self.base_lrs]
        progress = min(1.0, (step - self.warmup) / max(1, self.total - self.warmup))
        share = self.final_fraction + (1.0 - self.final_fraction) * (1.0 + math.cos(math.pi * progress)) / 2.0
        rates = [peak * share for peak in self.base_lrs]
        if step == self.warmup:
            return rates
        return [min(rate, group["lr"]) for rate, group in zip(rates, self.optimizer.param_groups, strict=True)]

    def state_dict(self) -> dict[str, Any]:
        """Where the schedule stands; its shape is the run's to say, but for the warm-up, which is past."""
        return {name: value for name, value in super().state_dict().items() if name in ("last_epoch", "_last_lr", "warmup")}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes up a schedule; of one of torch's, how far it had come."""
        kept: dict[str, Any] = {name: state_dict[name] for name in ("last_epoch", "_last_lr", "warmup") if name in state_dict}
        if kept["last_epoch"] < kept.get("warmup", 0):
            del kept["warmup"]  # not past yet: that of this run holds
        super().load_state_dict(kept)
        for group, peak in zip(self.optimizer.param_groups, self.base_lrs, strict=True):
            if group["initial_lr"] != peak:  # another peak than the checkpoint's, which holds
                group["initial_lr"], group["lr"] = peak, math.inf
        for group, rate in zip(self.optimizer.param_groups, self.get_lr(), strict=True):
            group["lr"] = rate


def make_optimizer(model: nn.Module, config: OptimizerConfig, total_steps: int) -> tuple[AdamW, LRScheduler]:
    """The optimiser and its schedule over `total_steps` steps."""
    optimizer = AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )
    own = [{name: group[name] for name in ("weight_decay", "betas", "eps")} for group in optimizer.param_groups]

    def keep_own(restored: Optimizer) -> None:  # a checkpoint has those of the run that wrote it
        for group, settings in zip(restored.param_groups, own, strict=True):
            group.update(settings)

    optimizer.register_load_state_dict_post_hook(keep_own)
    warmup = min(config.warmup_steps, max(1, total_steps // 2))
    return optimizer, WarmupCosine(optimizer, warmup, total_steps, config.warmup_from, config.final_fraction)
