"""A model, a mixture and tasks as small as the command line needs them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from lightning.pytorch import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from gato_lightning.errors import UserError, unknown


@dataclass(frozen=True)
class Sizes:
    """Sizes of the model.

    Args:
        width: model width.
        context_length: slots of a sequence.
    """

    width: int = 4
    context_length: int = 16


class Model(LightningModule):
    """A linear layer.

    Args:
        config: its sizes.
        learning_rate: of the optimiser.
    """

    last: "Model"  # what the latest command line built, for the tests to look at

    def __init__(self, config: Sizes = Sizes(), learning_rate: float = 1e-3) -> None:
        super().__init__()
        self.config = config
        self.learning_rate = learning_rate
        self.model = torch.nn.Linear(config.width, 1)
        Model.last = self

    def training_step(self, batch: Tensor) -> Tensor:
        return self.model(torch.ones(len(batch), self.config.width)).mean()

    def validation_step(self, batch: Tensor) -> None:
        self.model(torch.ones(len(batch), self.config.width))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), self.learning_rate)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["gato_lightning"] = {"version": "0", "config": asdict(self.config)}


class Task(LightningDataModule):
    """A base for tasks."""


class TextTask(Task):
    """A task.

    Args:
        limit: how many episodes.
        kinds: which ones.
        fails: where to fail: `init`, `prepare`, `disk` or `worker`.
    """

    def __init__(self, limit: int = 3, kinds: list[str] = ["a"], fails: str = "") -> None:  # noqa: B006
        super().__init__()
        if fails == "init":
            raise UserError("cannot be built")
        self.limit, self.kinds, self.fails = limit, kinds, fails

    def prepare_data(self) -> None:
        if self.fails == "prepare":
            raise UserError("demo.npz, timestep 3: NaN in 'speed'")
        if self.fails == "disk":
            Path("/dev/full").write_text("x" * 10)


@dataclass
class Stanza:
    """One entry of the mixture.

    Args:
        datamodule: the task.
        weight: its weight.
    """

    datamodule: Task
    weight: float = 1.0


class _Items(IterableDataset):
    def __init__(self, fails: bool) -> None:
        self.fails = fails

    def __iter__(self) -> Iterator[Tensor]:
        for _ in range(8):
            if self.fails:
                raise UserError("episode 7 is longer than the context")
            yield torch.zeros(1)


class Mixture(LightningDataModule):
    """A mixture of tasks.

    Args:
        tasks: by name.
        batch_size: of the batches.
        context_length: the model's.
    """

    last: "Mixture"

    def __init__(self, tasks: dict[str, Stanza], batch_size: int = 2, context_length: int = 8) -> None:
        super().__init__()
        self.tasks, self.batch_size, self.context_length = tasks, batch_size, context_length
        Mixture.last = self

    def restrict(self, names: list[str] | None, domains: list[str] | None) -> None:
        """Its control tasks are no stanzas, so there is nothing to leave out."""

    def prepare_data(self) -> None:
        for stanza in self.tasks.values():
            stanza.datamodule.prepare_data()

    def train_dataloader(self) -> DataLoader:
        in_worker = any(stanza.datamodule.fails == "worker" for stanza in self.tasks.values())
        return DataLoader(_Items(in_worker), batch_size=self.batch_size, num_workers=int(in_worker))

    def val_dataloader(self) -> DataLoader:
        return self.train_dataloader()

    def control_tasks(self, names: list[str] | None = None) -> dict[str, SimpleNamespace]:
        domains = {"cartpole": "classic-control", "taxi": "toy-text"}
        known = {name: SimpleNamespace(name=name, domain=domain) for name, domain in domains.items()}
        for name in names or []:
            if name not in known:
                raise unknown("control task", name, known)
        return {name: known[name] for name in names or known}
