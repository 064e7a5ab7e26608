"""The command line: `python run.py` in a clone, `gato` where the package is installed."""

from datamodules.mixture import MixtureDataModule
from gato_lightning.cli.main import run
from gato_lightning.training.module import GatoModule

# Commands beside fit, validate, test, predict, rollout and export.
COMMANDS = {
    "collect": "datamodules.collecting.collect_command:collect",
    "expert": "datamodules.control.training.expert_command:expert",
    "report": "gato_lightning.evaluation.report_page:report",
    "caption": "gato_lightning.cli.write_commands:caption",
    "answer": "gato_lightning.cli.write_commands:answer",
    "chat": "gato_lightning.cli.write_commands:chat",
    "serve": "gato_lightning.serving.serve_command:serve",
    "tokenizer": "gato_lightning.cli.write_commands:tokenizer",
}


def main(args: list[str] | None = None) -> None:
    """Runs the command line `args`, by default that of the process."""
    run(GatoModule, MixtureDataModule, args, COMMANDS)
