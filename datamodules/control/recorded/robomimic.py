"""robomimic's HDF5 files as tasks."""

import json
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import gymnasium
import h5py

from datamodules.base.task import Split
from datamodules.control.recorded.columns_task import ColumnsTask
from datamodules.control.recorded.hdf5_files import SUFFIXES, opened, read_columns
from datamodules.control.recorded.recording import Recording
from datamodules.readers.files import find
from gato_lightning.errors import UserError, unknown

_GYM = 2  # env_type of environments that Gym makes; 1 is robosuite, 3 iGibson


class RobomimicDataModule(ColumnsTask):
    """Demonstrations in robomimic's layout: groups `data/demo_0`, `data/demo_1`, ... with `actions`, `obs/KEY` and more.

    Observed are, by default, the arrays under `obs`. Where the file's `env_args` name an environment of Gymnasium with the
    spaces of the data, the task is rolled out in it.

    Args:
        path: a file, or a folder that is searched at any depth.
        train_mask: name under `mask` of the demonstrations to train on; None: `train`, where there is one, or all.
        val_mask: of those that are held out; None: `valid`, where there is one, or `val_episodes` evenly spread.
        rollouts: whether the environment is made and played, where it can be.
        kwargs: of `ColumnsTask`.
    """

    domain = "robomimic"

    def __init__(
        self, path: str, train_mask: str | None = None, val_mask: str | None = None, rollouts: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._masks: dict[Split, str | None] = {"train": train_mask, "val": val_mask}
        files = find(path, SUFFIXES)
        self.describe([recording for file in files for recording in self._recordings(file)], path)
        self._env_args = _env_args(files[0])
        if rollouts and self._env_args.get("type", self._env_args.get("env_type")) == _GYM:
            self.play_where_it_can_be()

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """The environment that the file's `env_args` name."""
        kwargs = {**self._env_args.get("env_kwargs", {}), "render_mode": render_mode}
        return gymnasium.make(self._env_args["env_name"], **kwargs)

    def is_observed(self, key: str) -> bool:
        return key.startswith("obs/")

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        with opened(recording.file) as file:
            demo = file["data"][recording.where]
            found = read_columns(demo, keys)
            told = demo.attrs.get("num_samples")
            for key, values in found.items():
                if told is not None and len(values) != told:
                    raise UserError(f"column {key}: {len(values)} values, expected {told} as num_samples says")
            return found

    def _recordings(self, path: Path) -> list[Recording]:
        """The demonstrations of a file.

        Raises:
            UserError: it is no file of robomimic, or has no such mask.
        """
        with opened(path) as file:
            if not isinstance(file.get("data"), h5py.Group):
                raise UserError(f"{path}: no group `data`, expected a file of robomimic")
            names = [name for name, item in file["data"].items() if isinstance(item, h5py.Group)]
            chosen = {split: self._mask(file, path, split) for split in self._masks}
        order = sorted(names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)])
        splits: dict[str, Split | None] = {name: split for split, mask in chosen.items() for name in mask or ()}
        if chosen["train"] is not None:
            order = [name for name in order if name in splits]
        return [Recording(path, name, name, splits.get(name)) for name in order]

    def _mask(self, file: h5py.File, path: Path, split: Split) -> set[str] | None:
        known, name = file.get("mask", {}), self._masks[split]
        if name is None:
            usual = "train" if split == "train" else "valid"
            # Without a held-out part of the file's own, its training part alone says nothing.
            name = usual if usual in known and "valid" in known else None
        elif name not in known:
            raise unknown(f"mask in {path}", name, known)
        return None if name is None else set(known[name].asstr()[:])


def _env_args(path: Path) -> dict[str, Any]:
    """What the file says of its environment; nothing where it says nothing that can be read."""
    with opened(path) as file:
        try:
            told = json.loads(file["data"].attrs.get("env_args", "{}"))
        except ValueError as error:
            raise UserError(f"{path}: env_args are no JSON ({error})") from error
    return told if isinstance(told, dict) and isinstance(told.get("env_name"), str) else {}
