"""Trains, tests and plays Gato: `python run.py fit --config conf/gato_small.yaml`, `python run.py --help`."""

from datamodules.mixture import MixtureDataModule
from gato_lightning.cli.main import run
from gato_lightning.training.module import GatoModule

COMMANDS = {
    "collect": "datamodules.collect_command:collect",
    **{name: f"gato_lightning.cli.write_commands:{name}" for name in ("caption", "answer", "chat", "tokenizer")},
}


def main(args: list[str] | None = None) -> None:
    """Runs the command line `args`, by default that of the process."""
    run(GatoModule, MixtureDataModule, args, COMMANDS)


if __name__ == "__main__":
    main()
