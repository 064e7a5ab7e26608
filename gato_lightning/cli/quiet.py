"""Keeps the terminal readable: drops messages of libraries that no user here can act on, each with its why."""

import logging
import warnings

_WARNINGS = (
    # Lightning's own call of a torch function that torch renamed; nothing of ours.
    r".*isinstance\(treespec, LeafSpec\).* is deprecated",
    # The mixture makes batches fast enough with few workers (the throughput callback measures the wait for data).
    r".*does not have many workers which may be a bottleneck",
    # Resuming is exact without a state of the loader: sequence i is a function of (seed, i).
    r".*You're resuming from a checkpoint that ended before the epoch ended",
    # Losses are summed over all ranks before they are logged.
    r".*It is recommended to use `self.log\(.*sync_dist=True",
    # The sampler gives every sequence by itself.
    r".*You are using a custom batch sampler `StepSampler` for prediction",
    # Each run has a log folder of its own, so a resumed one always saves elsewhere than before.
    r".*The dirpath has changed from",
    # The summary counts parameters, which are fp32 in every mixed precision.
    r".*is not supported by the model summary",
    # A run counts optimiser steps in one epoch; a short one logs at its end.
    r".*The number of training batches .* is smaller than the logging interval",
)

_INFOS = (
    "TPU available",  # no one runs this on a TPU
    "💡 Tip",  # advertisements for services
)


def _worth_reading(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(_INFOS)


def quiet() -> None:
    """Installs the filters; calling it again changes nothing."""
    for message in _WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    logging.getLogger("lightning.pytorch.utilities.rank_zero").addFilter(_worth_reading)
