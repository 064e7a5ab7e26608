"""AdamW with weight decay on matrices only; linear warm-up, then cosine (Gato, appendix D)."""

from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR

from gato_lightning.errors import UserError
from gato_lightning.settings import NonNegativeFloat, NonNegativeInt, PositiveFloat, Share, ShareBelowOne, check_settings


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


def make_optimizer(model: nn.Module, config: OptimizerConfig, total_steps: int) -> tuple[AdamW, LRScheduler]:
    """The optimiser and its schedule over `total_steps` steps."""
    optimizer = AdamW(
        parameter_groups(model, config.weight_decay),
        lr=config.learning_rate,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )
    warmup = min(config.warmup_steps, max(1, total_steps // 2))
    rise = LinearLR(optimizer, config.warmup_from / config.learning_rate, 1.0, warmup)
    fall = CosineAnnealingLR(optimizer, max(1, total_steps - warmup), eta_min=config.learning_rate * config.final_fraction)
    return optimizer, SequentialLR(optimizer, [rise, fall], [warmup])
