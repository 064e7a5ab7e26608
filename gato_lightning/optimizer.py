"""AdamW with weight decay on matrices only; linear warm-up, then cosine (Gato, appendix D)."""

from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, LRScheduler, SequentialLR


@dataclass(frozen=True)
class OptimizerConfig:
    """Settings of the optimiser.

    Args:
        learning_rate: at its peak.
        betas: of AdamW.
        eps: of AdamW.
        weight_decay: on matrices; vectors (norms, biases) have none.
        warmup_steps: steps of linear warm-up; fewer where the run is shorter.
        warmup_from: learning rate of the first step.
        final_fraction: of the peak, where the cosine ends.
    """

    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.1
    warmup_steps: int = 15000
    warmup_from: float = 1e-7
    final_fraction: float = 0.1


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
