"""Means of losses by task and by modality, over all ranks."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.tokens.vocabulary import Kind


class FullPrecision(Metric):
    """Keeps the precision of its sums when the module around it is brought to another one (`trainer.precision: bf16-true`)."""

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        return super()._apply(lambda tensor: fn(tensor).to(tensor.dtype), exclude_state)


class TokenMean(FullPrecision, MeanMetric):
    """The mean of all values, over all ranks."""


class GroupMeans(FullPrecision):
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


class LossMeans(nn.Module):
    """Means of token losses by task and by modality, since they were last taken.

    Args:
        task_names: in the order of the tasks' numbers.
    """

    def __init__(self, task_names: Sequence[str]) -> None:
        super().__init__()
        self.by_task = GroupMeans(task_names)
        self.by_modality = GroupMeans([kind.name.lower() for kind in Kind])

    def update(self, batch: TokenBatch, losses: Tensor) -> None:
        """Adds the (N,) losses of a batch, on the device: nothing is waited for in a step."""
        self.by_task.update(batch.task.flatten()[batch.targets], losses)
        self.by_modality.update(batch.kinds.flatten()[batch.targets], losses)

    def take(self, part: str) -> dict[str, float]:
        """The means, over all ranks, which all call it; none of what did not occur. Begins anew.

        Args:
            part: what the losses are of, as in `train/loss/TASK` and `train/loss_by_modality/MODALITY`.
        """
        means = {f"{part}/loss/{name}": mean for name, mean in self.by_task.compute().items()}
        means |= {f"{part}/loss_by_modality/{name}": mean for name, mean in self.by_modality.compute().items()}
        self.by_task.reset()
        self.by_modality.reset()
        return means

    def sums(self) -> dict[str, Tensor]:
        """What has been added on this rank since the last `take`: for tasks and for modalities, (2, G) sums and counts."""
        return {part: torch.stack((metric.total, metric.count)) for part, metric in self._parts.items()}

    def named(self, sums: Mapping[str, Tensor]) -> dict[str, dict[str, list[float]]]:
        """Such sums as plain values, by name of the task or modality."""
        return {part: dict(zip(self._parts[part].names, of_part.T.tolist(), strict=True)) for part, of_part in sums.items()}

    def add_named(self, sums: Mapping[str, Mapping[str, list[float]]]) -> None:
        """Adds what `named` gave; names that are not known are passed over."""
        for part, metric in self._parts.items():
            for number, name in enumerate(metric.names):
                total, count = sums.get(part, {}).get(name, (0.0, 0.0))
                metric.total[number] += total
                metric.count[number] += count

    @property
    def _parts(self) -> dict[str, GroupMeans]:
        return {"task": self.by_task, "modality": self.by_modality}
