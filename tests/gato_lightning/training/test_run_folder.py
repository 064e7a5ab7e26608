"""The config of a run is found beside its checkpoint."""

import pytest
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from gato_lightning.errors import UserError
from gato_lightning.training.run_folder import claim_version, config_beside


@pytest.mark.parametrize("place", ["last.ckpt", "checkpoints/last.ckpt"])
def test_the_config_lies_in_the_log_folder(tmp_path, place, monkeypatch):
    run = tmp_path / "version_0"
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text("model: {}\n")
    assert config_beside(str(run / place)) == str(run / "config.yaml")
    monkeypatch.chdir(run)
    assert config_beside(place) == str(run / "config.yaml")


def test_without_one_the_checkpoint_is_named(tmp_path):
    with pytest.raises(UserError, match=r"no config\.yaml beside .*lone\.ckpt"):
        config_beside(str(tmp_path / "a" / "b" / "lone.ckpt"))


@pytest.mark.parametrize("kind", [TensorBoardLogger, CSVLogger])
def test_of_two_runs_that_begin_together_each_has_a_folder(tmp_path, kind):
    loggers = [kind(tmp_path, name="run") for _ in range(3)]
    assert len({logger._get_next_version() for logger in loggers}) == 1
    for logger in loggers:
        claim_version(logger)
    assert [logger.version for logger in loggers] == [0, 1, 2]


def test_a_version_with_a_name_is_kept(tmp_path):
    logger = TensorBoardLogger(tmp_path, name="run", version="mine")
    claim_version(logger)
    assert logger.version == "mine"
