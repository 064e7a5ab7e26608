"""What a run says and returns when it is stopped: Ctrl-C, and SIGTERM as schedulers send it."""

import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.exceptions import SIGTERMException


class Terminated(SystemExit):
    """SIGTERM came while no trainer was there to end its step first."""


def raise_on_sigterm() -> None:
    """Makes SIGTERM raise `Terminated`, so that files and processes are closed; a trainer handles the signal itself."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(signum: int, frame: FrameType | None) -> None:
    if signal.getsignal(signum) is _terminate:  # Lightning calls it as well, behind its own
        raise Terminated


def signal_behind(error: BaseException) -> signal.Signals | None:
    """The signal that an error comes from, or None: Lightning turns Ctrl-C into an exit of status 1."""
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__context__, KeyboardInterrupt):
        return signal.SIGINT
    return signal.SIGTERM if isinstance(error, Terminated | SIGTERMException) else None


def how_to_go_on(trainer: Trainer) -> str:
    """What to add to the command to go on with a training; from its start where it has no checkpoint yet."""
    for callback in trainer.checkpoint_callbacks:
        if isinstance(callback, ModelCheckpoint) and (path := callback.last_model_path or callback.best_model_path):
            return f"stopped; the same command goes on with --ckpt_path {Path(path)}"
    return "stopped before the first checkpoint"


def exit_stopped(stopped_by: signal.Signals, message: str, error: BaseException) -> NoReturn:
    """Ends the process with a line on stderr and the status that shells give a process which a signal ended."""
    print(message, file=sys.stderr)
    raise SystemExit(128 + stopped_by) from error
