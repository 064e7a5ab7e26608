"""The config of a run, kept beside its results: as `config.yaml` in the log folder and as text in TensorBoard."""

from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.cli import LightningArgumentParser, SaveConfigCallback
from lightning.pytorch.loggers import TensorBoardLogger

# What describes the run; the rest (`ckpt_path`, `verbose`, ...) describes one call of one subcommand, and would make
# the file unfit for the others.
_SECTIONS = ("seed_everything", "vars", "trainer", "model", "data")


class SaveRunConfig(SaveConfigCallback):
    """Writes the whole config of the run, defaults included, under the command that gave it.

    The file is itself a `--config` for every subcommand. A run without a logger has no folder and leaves no file.

    Args:
        parser: The parser that read the config.
        config: The config.
        command: The command line, for the first line of the file.
    """

    def __init__(self, parser: LightningArgumentParser, config: Namespace, command: str) -> None:
        super().__init__(parser, config, save_to_log_dir=False)
        self.command = command

    def save_config(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Called once, on rank 0, before the first step."""
        logger = trainer.logger
        folder = getattr(logger, "log_dir", None) or getattr(logger, "save_dir", None)
        if folder is None:
            return
        sections = Namespace({key: self.config[key] for key in _SECTIONS if key in self.config})
        text = f"# {self.command}\n{self.parser.dump(sections, skip_unset=False)}"
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "config.yaml").write_text(text, encoding="utf-8")
        if isinstance(logger, TensorBoardLogger):
            # TensorBoard renders Markdown, in which four spaces keep a text as it is.
            logger.experiment.add_text("config", "".join(f"    {line}\n" for line in text.splitlines()))
