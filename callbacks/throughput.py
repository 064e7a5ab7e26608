"""How fast training goes, and how much of it is waiting for data.

Lightning's ThroughputMonitor counts one length per batch, assumes that all batches are alike, asks for the GPU to
finish after each, and knows nothing of waiting or resuming; hence this one.
"""

import time
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from gato_lightning.common.settings import PositiveInt, check_settings
from gato_lightning.evaluation.report import Findings
from gato_lightning.sequences.batch import TokenBatch

_COUNTS = ("tokens", "timesteps", "sequences", "slots")


class Throughput(Callback):
    """Logs `throughput/<what>_per_s` for tokens, timesteps and sequences, `throughput/data_wait` and
    `throughput/padding`.

    Rates are over the time that training takes, waiting for data included: evaluations, validation and checkpoints
    between two steps are left out. All ranks are counted.

    Args:
        every_n_steps: batches between two logs, 1 or more.

    Attributes:
        totals: tokens, timesteps, sequences and slots (tokens and padding) of the run so far, over all ranks and
            restarts; with several ranks, those since the last log are an estimate.
        seconds: time that training them took.
    """

    def __init__(self, every_n_steps: PositiveInt = 50) -> None:
        check_settings(locals(), Throughput)
        self.every_n_steps = every_n_steps
        self.seconds = 0.0
        self._logged = dict.fromkeys(_COUNTS, 0)
        self._ranks = 1
        self._waiting_since = self._step_since = 0.0
        self._window = torch.zeros(len(_COUNTS), dtype=torch.int64)
        self._step = self._wait = 0.0
        self._batches = 0

    @property
    def totals(self) -> dict[str, int]:
        """Counts so far by what was counted."""
        recent = self._window.tolist()
        return {name: self._logged[name] + self._ranks * n for name, n in zip(_COUNTS, recent, strict=True)}

    @property
    def tokens_seen(self) -> int:
        """Tokens trained on so far, padding left out."""
        return self.totals["tokens"]

    def state_dict(self) -> dict[str, Any]:
        return {"totals": self.totals, "seconds": self.seconds + self._step + self._wait}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._logged = {name: int(state_dict["totals"][name]) for name in _COUNTS}
        self.seconds = state_dict["seconds"]

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Takes both ends of the list of callbacks: what the others do after a step is neither step nor waiting."""
        self._ranks = trainer.world_size
        current: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
        others = [callback for callback in current if callback is not self and not isinstance(callback, _Last)]
        # A new list, since Lightning is walking through the old one.
        trainer.callbacks = [self, *others, _Last(self)]  # type: ignore[attr-defined]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._begin_window()
        self.begin_waiting()

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: TokenBatch, batch_idx: int) -> None:
        now = time.perf_counter()
        self._wait += now - self._waiting_since
        self._step_since = now
        sequences, slots = batch.ids.shape[0], batch.ids.numel()
        # Counted on the device and read only when logged: reading it now would wait for the GPU.
        counted = torch.tensor([0, batch.num_timesteps, sequences, slots])
        counted = counted.to(batch.segment.device, non_blocking=True)
        counted[0] = (batch.segment > 0).sum()
        self._window = self._window.to(counted.device) + counted
        self._batches += 1

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self._step += time.perf_counter() - self._step_since
        if self._batches >= self.every_n_steps:
            self._log(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._batches:
            self._log(trainer)

    def findings(self) -> Findings:
        """The tokens that were trained on."""
        return Findings(tokens_seen=self.tokens_seen)

    def begin_waiting(self) -> None:
        """From now on, the trainer waits for the next batch."""
        self._waiting_since = time.perf_counter()

    def _log(self, trainer: Trainer) -> None:
        summed: Tensor = trainer.strategy.reduce(self._window, reduce_op="sum")
        window = dict(zip(_COUNTS, summed.tolist(), strict=True))
        elapsed = self._step + self._wait
        self._logged = {name: self._logged[name] + window[name] for name in _COUNTS}
        self.seconds += elapsed
        values = {f"throughput/{name}_per_s": window[name] / elapsed for name in ("tokens", "timesteps", "sequences")}
        values["throughput/data_wait"] = self._wait / elapsed
        values["throughput/padding"] = 1.0 - window["tokens"] / window["slots"]
        values["throughput/tokens_seen"] = self._logged["tokens"]
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step)
        self._begin_window()

    def _begin_window(self) -> None:
        self._window = torch.zeros(len(_COUNTS), dtype=torch.int64)
        self._step = self._wait = 0.0
        self._batches = 0


class _Last(Callback):
    """Stands behind all other callbacks and tells when they are done with a step."""

    def __init__(self, throughput: Throughput) -> None:
        self._throughput = throughput

    def on_train_batch_end(self, *_: Any) -> None:
        self._throughput.begin_waiting()

    def on_validation_end(self, *_: Any) -> None:
        # Validation runs between two steps, after the callbacks of the step.
        self._throughput.begin_waiting()
