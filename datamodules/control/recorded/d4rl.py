"""D4RL's HDF5 files as tasks."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from datamodules.control.policy import registered
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.hdf5_files import SUFFIXES, datasets_in, opened, read_columns
from datamodules.control.recorded.recording import Recording
from datamodules.readers.files import find
from gato_lightning.errors import UserError

_ENDS = ("terminals", "timeouts")


class D4rlDataModule(ColumnsTask):
    """Episodes in D4RL's layout: arrays `observations`, `actions`, `rewards`, `terminals`, `timeouts` of all timesteps.

    An episode ends where `terminals` or `timeouts` is true. `infos/*` are not observed unless `observations` names them.

    Args:
        path: a file, or a folder that is searched at any depth.
        env_id: the environment to roll out in, by its name in Gymnasium; None: none.
        kwargs: of `ColumnsTask`.

    Raises:
        UserError: there is no such environment, or its spaces are not those of the data.
    """

    domain = "d4rl"

    def __init__(self, path: str, env_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.describe([recording for file in find(path, SUFFIXES) for recording in _recordings(file)], path)
        self._env_id = registered(env_id) if env_id else None
        if env_id:
            self.play_in(self.make_env())

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """The environment that the settings name."""
        if self._env_id is None:
            return super().make_env(render_mode)
        return gymnasium.make(self._env_id, render_mode=render_mode)

    def is_observed(self, key: str) -> bool:
        return key == "observations"

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        with opened(recording.file) as file:
            return read_columns(file, keys, slice(*recording.where))


def _recordings(path: Path) -> Iterator[Recording]:
    """The episodes of a file.

    Raises:
        UserError: it does not tell where episodes end.
    """
    with opened(path) as file:
        arrays = datasets_in(file)
        told = [np.asarray(arrays[name][:], bool).reshape(-1) for name in _ENDS if name in arrays]
    if not told or len({len(one) for one in told}) > 1:
        raise UserError(f"{path}: expected arrays {' or '.join(_ENDS)} of equal lengths, which tell where episodes end")
    last = np.flatnonzero(np.any(told, axis=0)) + 1
    starts = [0, *last.tolist()]
    stops = [*last.tolist(), len(told[0])]
    for number, (start, stop) in enumerate(zip(starts, stops, strict=True)):
        if stop > start:
            yield Recording(path, f"episode {number}", (start, stop))
