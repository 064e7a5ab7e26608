"""Means of losses by task or modality, over all ranks."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric


class GroupMeans(Metric):
    """Means of values by group, since the last `reset`.

    Args:
        names: of the groups, in the order of their numbers.
    """

    full_state_update = False
    total: Tensor
    count: Tensor

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = list(names)
        for state in ("total", "count"):
            self.add_state(state, torch.zeros(len(self.names)), dist_reduce_fx="sum")

    def update(self, group: Tensor, values: Tensor) -> None:
        """Adds (N,) values, each to the group of its number, (N,) int64."""
        # Summed apart first: a long sum in fp32 would swallow single values.
        zeros = torch.zeros_like(self.total)
        self.total += zeros.index_add(0, group, values.float())
        self.count += zeros.index_add(0, group, torch.ones_like(values, dtype=torch.float32))

    def compute(self) -> dict[str, float]:
        """By name, the mean of each group that has values, over all ranks, which all call it."""
        total, count = self.total.tolist(), self.count.tolist()
        return {name: s / n for name, s, n in zip(self.names, total, count, strict=True) if n}
