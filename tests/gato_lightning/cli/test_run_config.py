"""The config of a run is kept beside its results."""

from types import SimpleNamespace

import yaml
from jsonargparse import ArgumentParser

from gato_lightning.cli.run_config import SaveRunConfig


def test_the_sections_of_the_run_are_written_under_its_command(tmp_path):
    parser = ArgumentParser()
    parser.add_argument("--seed_everything", default=3)
    parser.add_argument("--ckpt_path", default="x.ckpt")
    trainer = SimpleNamespace(logger=SimpleNamespace(log_dir=str(tmp_path / "version_0")))
    SaveRunConfig(parser, parser.get_defaults(), "python run.py fit").save_config(trainer, None, "fit")
    text = (tmp_path / "version_0" / "config.yaml").read_text()
    assert text.startswith("# python run.py fit\n")
    assert yaml.safe_load(text) == {"seed_everything": 3}  # a checkpoint belongs to one call, not to the run


def test_without_a_logger_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parser = ArgumentParser()
    SaveRunConfig(parser, parser.get_defaults(), "").save_config(SimpleNamespace(logger=None), None, "fit")
    assert not list(tmp_path.iterdir())
