import zlib
from pathlib import Path

import pytest
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.demos.boring_classes import BoringModel
from lightning.pytorch.plugins.io import AsyncCheckpointIO, CheckpointIO, TorchCheckpointIO

from gato_lightning.errors import UserError
from gato_lightning.model.checkpoint import MARK, METADATA, load_checkpoint
from gato_lightning.training.trainer import GatoTrainer


class Model(BoringModel):
    def on_save_checkpoint(self, checkpoint):
        checkpoint[MARK] = {"width": 4}


class Packed(TorchCheckpointIO):
    """A user's own plugin, with files of its own form."""

    def __init__(self) -> None:
        self.asked: list[bool | None] = []

    def save_checkpoint(self, checkpoint, path, storage_options=None) -> None:
        super().save_checkpoint(checkpoint, path)
        Path(path).write_bytes(zlib.compress(Path(path).read_bytes()))

    def load_checkpoint(self, path, map_location=None, weights_only=None):
        self.asked.append(weights_only)
        plain = Path(path).with_suffix(".plain")
        plain.write_bytes(zlib.decompress(Path(path).read_bytes()))
        return super().load_checkpoint(plain, map_location, weights_only)


def trainer(folder: Path, io: CheckpointIO | None, **settings) -> GatoTrainer:
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    saving = ModelCheckpoint(folder, every_n_train_steps=2, save_last=True)
    return GatoTrainer(callbacks=[saving], plugins=[io] if io else [], limit_val_batches=0, **quiet, **settings)


@pytest.mark.parametrize("make", [Packed, lambda: AsyncCheckpointIO(Packed())])
def test_the_users_plugin_writes_and_reads_and_reads_are_weights_only(tmp_path, make):
    io = make()
    trainer(tmp_path, io, max_steps=3).fit(Model())
    file = tmp_path / "last.ckpt"
    assert file.read_bytes()[:1] == b"\x78"  # the plugin's own form
    again = trainer(tmp_path, io, max_steps=5)
    again.fit(Model(), ckpt_path=file)
    assert again.global_step == 5
    assert again.strategy.checkpoint_io.load_settings(file) == {"width": 4}
    packed = io if isinstance(io, Packed) else io.checkpoint_io
    assert packed.asked == [True, True]


@pytest.mark.parametrize("io", [None, AsyncCheckpointIO()])
def test_code_and_strangers_are_refused_whatever_the_plugin(tmp_path, io):
    read = trainer(tmp_path, io, max_steps=1).strategy.checkpoint_io.load_checkpoint
    torch.save({MARK: _Bomb(tmp_path / "exploded")}, tmp_path / "bomb.ckpt")
    with pytest.raises(UserError, match="could run code"):
        read(tmp_path / "bomb.ckpt")
    assert not (tmp_path / "exploded").exists()
    torch.save({"state_dict": {}}, tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="not a checkpoint of gato-lightning"):
        read(tmp_path / "other.ckpt")
    with pytest.raises(UserError, match="does not exist"):
        read(tmp_path / "none.ckpt")


def test_a_sharded_checkpoint_is_compared_and_otherwise_refused_in_one_line(tmp_path):
    folder = tmp_path / "step=4.ckpt"
    folder.mkdir()
    torch.save({MARK: {"width": 4}}, folder / METADATA)
    assert trainer(tmp_path, None, max_steps=1).strategy.checkpoint_io.load_settings(folder) == {"width": 4}
    with pytest.raises(UserError, match=r"sharded checkpoint; `python -m lightning.pytorch.utilities.consolidate_checkpoint"):
        load_checkpoint(folder)


class _Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")
