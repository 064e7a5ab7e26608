"""The config of a run is found beside its checkpoint."""

import pytest

from gato_lightning.errors import UserError
from gato_lightning.training.run_folder import config_beside


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
