"""The mixture: the DataModules of all tasks, with weights, as one stream of batches."""

import logging
import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from datamodules.base.stream import Readers, task_sampler
from datamodules.base.task import Split, TaskDataModule
from datamodules.base.weights import shares
from datamodules.collecting.collect import prepare
from datamodules.control import suites
from gato_lightning.common.settings import NonNegativeFloat, NonNegativeInt, PositiveInt, Range, Seed, check_settings
from gato_lightning.errors import UserError, unknown
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.sequences.segments import PromptSettings
from gato_lightning.sequences.sequence import SequencePacker, Slots, collate
from gato_lightning.sequences.tasks import ControlTask
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

log = logging.getLogger(__name__)


@dataclass
class TaskSpec:
    """One task of the mixture.

    Args:
        datamodule: the DataModule that makes the task's episodes.
        weight: relative share of the sequences that begin with this task, 0 or more; in a domain with a weight of its own,
            the share within the domain.
    """

    datamodule: TaskDataModule
    weight: NonNegativeFloat = 1.0

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))


class SequenceDataset(Dataset[list[Slots]]):
    """A map-style data set that makes sequence i of a mixture on access."""

    def __init__(self, packer: SequencePacker, length: int) -> None:
        self.packer, self.length = packer, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> list[Slots]:
        return self.packer(index)


class StepSampler(Sampler[list[int]]):
    """Yields the indices of the sequences in each batch of a rank.

    With B the batch size, batch s of rank r holds the B sequences from seen + (s * ranks + r) * B, where s counts from the
    first batch not yet seen. So a step has the same sequences for any number of ranks that share its global batch, and a
    resumed run continues with the first sequence that it has not seen, also with other ranks or another batch size.

    Args:
        first: number of batches already seen.
        total: number of batches in the whole run.
        batch_size: number of sequences in a batch of one rank.
        rank: index of this rank.
        ranks: number of ranks.
        seen: number of sequences already seen; None: as many as the seen batches hold.
    """

    def __init__(self, first: int, total: int, batch_size: int, rank: int, ranks: int, seen: int | None = None) -> None:
        self.first, self.total, self.batch_size, self.rank, self.ranks = first, total, batch_size, rank, ranks
        self.seen = first * ranks * batch_size if seen is None else seen

    def __len__(self) -> int:
        return self.total

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.total - self.first):
            begin = self.seen + (step * self.ranks + self.rank) * self.batch_size
            yield list(range(begin, begin + self.batch_size))


@dataclass(frozen=True)
class _Progress:
    """The progress of a run.

    Args:
        step: number of optimiser steps.
        sequences: number of sequences that all ranks have seen in these steps.
        readers: number of DataLoader workers of all ranks, and batch size; they decide which streamed part is read when.
    """

    step: int
    sequences: int
    readers: tuple[int, int]


class MixtureDataModule(LightningDataModule):
    """All tasks of a run.

    Args:
        tasks: the tasks by name; the name identifies the task in configs and logs.
        batch_size: number of sequences per step and rank, 1 or more.
        context_length: number of slots in a sequence, 2 or more; the same as the model's.
        vocabulary: the id ranges of tokens; the same as the model's.
        prompts: how prompts are drawn.
        cache_dir: folder in which episodes are stored.
        tokenizer_path: file of a SentencePiece model with 32000 pieces; null: the one in this package.
        workers: number of processes that collect episodes, 1 or more; null: one per core.
        loader_workers: number of processes that make batches during training, 0 or more; 0: the training process makes them.
        val_sequences: number of sequences for the validation loss, 1 or more; all tasks have the same weight in it.
        seed: seed of the sequences, 0 or more; a sequence depends only on this seed and its index.
        observed_text_loss: whether the loss includes the text of observations (missions, questions), as in the paper's
            formula; false: only actions, including written text.
        domain_weights: by domain, the sum of the weights of its tasks, 0 or more; in other domains the weights stay as they
            are.
    """

    expand = staticmethod(suites.expand)  # for the command line: `data.suites` of a config file

    def __init__(
        self,
        tasks: dict[str, TaskSpec],
        batch_size: PositiveInt = 8,
        context_length: Annotated[int, Range(least=2)] = 256,
        vocabulary: Vocabulary | None = None,
        prompts: PromptSettings | None = None,
        cache_dir: str = "data",
        tokenizer_path: str | None = None,
        workers: PositiveInt | None = None,
        loader_workers: NonNegativeInt = 0,
        val_sequences: PositiveInt = 128,
        seed: Seed = 0,
        observed_text_loss: bool = True,
        domain_weights: dict[str, NonNegativeFloat] | None = None,
    ) -> None:
        super().__init__()
        check_settings(locals(), MixtureDataModule)
        weights = {name: spec.weight for name, spec in tasks.items()}
        domains = {name: spec.datamodule.domain for name, spec in tasks.items()}
        self.shares = shares(weights, domains, domain_weights or {})
        self.tasks, self.batch_size, self.context_length = tasks, batch_size, context_length
        self.vocabulary, self.prompts = vocabulary or Vocabulary(), prompts or PromptSettings()
        self.workers = workers or os.cpu_count() or 1
        self.loader_workers, self.val_sequences, self.seed = loader_workers, val_sequences, seed
        self.observed_text_loss = observed_text_loss
        self.tokenizer_path, self.text_tokenizer = tokenizer_path, TextTokenizer(tokenizer_path)
        self._begun: _Progress | None = None  # progress at the step where training began or resumed
        for name, spec in tasks.items():
            spec.datamodule.connect(name, self.vocabulary, self.text_tokenizer, context_length, Path(cache_dir))

    @property
    def task_names(self) -> list[str]:
        """Task names, in the order of the task indices in a batch."""
        return list(self.tasks)

    def image_settings(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """Returns domain and image settings, as plain values, of each task with image files."""
        tasks = {name: spec.datamodule for name, spec in self.tasks.items()}
        return {name: (task.domain, asdict(task.images)) for name, task in tasks.items() if task.images}

    def action_bounds(self) -> dict[str, dict[str, list[list[float]]]]:
        """By task and column, the low and high bounds that actions were given by the data; as plain values."""
        found = {name: spec.datamodule.action_bounds() for name, spec in self.tasks.items()}
        return {name: bounds for name, bounds in found.items() if bounds}

    def restrict(self, names: Collection[str] | None, domains: Collection[str] | None) -> None:
        """Leaves only some tasks in the mixture, so that nothing is prepared for the others.

        Args:
            names: names of the tasks to keep; None: all.
            domains: domains of the tasks to keep; None: all.

        Raises:
            UserError: a name or a domain that no task has.
        """
        known = {spec.datamodule.domain for spec in self.tasks.values()}
        for given, found, kind in ((names, self.tasks.keys(), "control task"), (domains, known, "suite")):
            for one in given or ():
                if one not in found:
                    raise unknown(kind, one, found)
        self.tasks = {
            name: spec
            for name, spec in self.tasks.items()
            if (names is None or name in names) and (domains is None or spec.datamodule.domain in domains)
        }

    def prepare_data(self) -> None:
        """Makes the missing stores."""
        prepare([spec.datamodule for spec in self.tasks.values()], self.workers)

    def setup(self, stage: str) -> None:
        """Opens all stores."""
        for spec in self.tasks.values():
            spec.datamodule.setup(stage)

    def control_tasks(self, names: list[str] | None = None) -> dict[str, ControlTask]:
        """Returns the tasks with an environment: all, or the named ones; call after `setup`.

        Raises:
            UserError: if a name is not that of a task with an environment.
        """
        control = self._prompted({name: spec.datamodule.control() for name, spec in self.tasks.items()})
        for name in names or []:
            if name not in control:
                raise unknown("control task", name, control)
        return {name: control[name] for name in names or control}

    def acting_tasks(self) -> dict[str, ControlTask]:
        """The tasks to act in, those whose environment is elsewhere among them; after `setup`."""
        return self._prompted({name: spec.datamodule.acting() for name, spec in self.tasks.items()})

    def _prompted(self, tasks: Mapping[str, ControlTask | None]) -> dict[str, ControlTask]:
        return {name: replace(task, prompt_length=self.prompts.length) for name, task in tasks.items() if task is not None}

    def packer(self, split: Split) -> SequencePacker:
        """Returns the maker of a split's sequences; in validation all tasks have the same weight."""
        seen = self._begun.sequences if self._begun else 0
        readers = Readers(*self._readers(), first=seen % self.batch_size)
        samplers = [task_sampler(spec.datamodule, split, self.prompts, readers) for spec in self.tasks.values()]
        weights = self.shares if split == "train" else np.ones(len(self.tasks))
        return SequencePacker(samplers, weights, self.context_length, self.seed, self.observed_text_loss)

    def mixture_table(self, sequences: int = 256) -> list[dict[str, float | str]]:
        """Returns a table of what the run will train on.

        Args:
            sequences: number of sequences that are made to measure how full they are.

        Returns:
            One row per task with its name, domain, weight (share of the sequences), the numbers of stored episodes, timesteps
            and tokens, and epochs: how often the run sees each token on average, including prompts. The weight in the last
            row, `(padding)`, is the share of slots that are padding.
        """
        packer = self._stored_packer()
        filled = sum(len(part.ids) for index in range(sequences) for part in packer(index))
        filled_share = filled / (sequences * self.context_length)
        seen = self._sequences_of_the_run() * self.context_length * filled_share
        rows: list[dict[str, float | str]] = []
        for share, (name, spec) in zip(self.shares, self.tasks.items(), strict=True):
            row: dict[str, float | str] = {"task": name, "domain": spec.datamodule.domain, "weight": float(share)}
            if store := spec.datamodule.stores.get("train"):
                row |= {
                    "episodes": store.num_episodes,
                    "timesteps": store.num_timesteps,
                    "tokens": store.num_slots,
                    "epochs": float(share * seen / store.num_slots),
                }
            else:
                row |= {"episodes": "streamed", "timesteps": "", "tokens": "", "epochs": ""}
            rows.append(row)
        rows.append({"task": "(padding)", "weight": 1.0 - filled_share})
        return rows

    def predicted_shares(self, sequences: int = 512) -> dict[str, float]:
        """Returns the share of each modality in the predicted tokens, measured on `sequences` sequences."""
        packer = self._stored_packer()
        kinds = np.concatenate([part.kinds[part.loss_mask] for index in range(sequences) for part in packer(index)])
        counts = np.bincount(kinds, minlength=len(Kind))
        return {kind.name.lower(): float(counts[kind] / counts.sum()) for kind in Kind if counts[kind]}

    def _stored_packer(self) -> SequencePacker:
        """Returns a maker of training sequences for statistics; the validation split replaces a streamed training split."""
        tasks = [spec.datamodule for spec in self.tasks.values()]
        samplers = [task_sampler(task, "train" if "train" in task.stores else "val", self.prompts) for task in tasks]
        return SequencePacker(samplers, self.shares, self.context_length, self.seed, self.observed_text_loss)

    def _sequences_of_the_run(self) -> int:
        """Returns the number of sequences that all ranks train on in the whole run; 0 without a trainer."""
        return self.trainer.max_steps * self._sequences_of_a_step() if self.trainer else 0

    def _sequences_of_a_step(self) -> int:
        trainer = self.trainer
        assert trainer is not None
        return trainer.accumulate_grad_batches * trainer.world_size * self.batch_size

    def _readers(self) -> tuple[int, int]:
        ranks = self.trainer.world_size if self.trainer else 1
        return ranks * max(1, self.loader_workers), self.batch_size

    def state_dict(self) -> dict[str, Any]:
        """Returns the progress for the checkpoint: a run may resume with other ranks, batch size or accumulation."""
        if self._begun is None or self.trainer is None:
            return {}
        step = self.trainer.global_step
        seen = self._begun.sequences + (step - self._begun.step) * self._sequences_of_a_step()
        return asdict(_Progress(step, seen, self._readers()))

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._begun = _Progress(**state)

    def train_dataloader(self) -> DataLoader[list[Slots]]:
        trainer = self.trainer
        assert trainer is not None
        # One epoch is the whole run, so that nothing restarts in between.
        first, total = (steps * trainer.accumulate_grad_batches for steps in (trainer.global_step, trainer.max_steps))
        if total <= 0:
            why = "the mixture has no end, so max_epochs cannot count a run"
            raise UserError(f"trainer.max_steps: {trainer.max_steps}, expected the number of steps to train ({why})")
        if self._begun and self._begun.step == trainer.global_step:
            self._resume(first)
        else:  # a new run, or a checkpoint without the number of seen sequences
            seen = trainer.global_step * self._sequences_of_a_step()
            self._begun = _Progress(trainer.global_step, seen, self._readers())
        rank, ranks = trainer.global_rank, trainer.world_size
        sampler = StepSampler(first, total, self.batch_size, rank, ranks, self._begun.sequences)
        return self._loader(SequenceDataset(self.packer("train"), total), sampler)

    def _resume(self, first: int) -> None:
        """Sets the trainer's batch counters as if each past step had had the present number of batches.

        Warns if streamed tasks cannot continue at the same place.
        """
        assert self._begun is not None
        assert self.trainer is not None
        batches = self.trainer.fit_loop.epoch_loop.batch_progress.current
        more = first - batches.ready
        for counted in ("ready", "started", "processed", "completed"):
            setattr(batches, counted, getattr(batches, counted) + more)
        streamed = [name for name, spec in self.tasks.items() if spec.datamodule.sequences_per_part is not None]
        if streamed and tuple(self._begun.readers) != self._readers() and self.trainer.global_rank == 0:
            log.warning(
                "streamed tasks (%s): resumed with other ranks, loader workers or sequences a batch, "
                "so that parts of the current pass may be read again or not at all",
                ", ".join(streamed),
            )

    def val_dataloader(self) -> DataLoader[list[Slots]]:
        trainer = self.trainer
        rank, ranks = (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
        batches = -(-self.val_sequences // (self.batch_size * ranks))
        sampler = StepSampler(0, batches, self.batch_size, rank, ranks)
        return self._loader(SequenceDataset(self.packer("val"), batches), sampler)

    test_dataloader = predict_dataloader = val_dataloader

    def _loader(self, dataset: SequenceDataset, sampler: StepSampler) -> DataLoader[list[Slots]]:
        return DataLoader(
            dataset,
            batch_sampler=sampler,
            num_workers=self.loader_workers,
            collate_fn=self._collate,
            pin_memory=torch.cuda.is_available(),
            persistent_workers=self.loader_workers > 0,
        )

    def _collate(self, sequences: list[list[Slots]]) -> TokenBatch:
        return collate(sequences, self.context_length, self.vocabulary)
