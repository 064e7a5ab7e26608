"""The command line: LightningCLI with merged config files, one more subcommand, and errors in one line.

```
python run.py fit --config conf/gato_small.yaml --config conf/debug/fast.yaml --data.tasks.text.weight 0.2
python run.py rollout --ckpt_path logs/gato_small/version_0/checkpoints/last.ckpt --tasks cartpole,taxi
python run.py report logs/gato_small/version_0
```
Files are merged in their order, and whatever else is on the command line is laid over them, wherever it stands.
`${vars.x}`, or the name of any other key, is filled in after that. With `--ckpt_path` and no `--config`, the config of
the run that wrote the checkpoint is used.
"""

import errno
import inspect
import re
import shlex
import sys
from argparse import ArgumentError
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, get_type_hints

import yaml
from jsonargparse import set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI
from omegaconf.errors import OmegaConfBaseException

from gato_lightning.cli.allocator import keep_freed_memory
from gato_lightning.cli.class_paths import check_class_paths
from gato_lightning.cli.commands import call
from gato_lightning.cli.config_files import read_config_files, split_config_args, to_yaml
from gato_lightning.cli.explain import explain
from gato_lightning.cli.interruption import exit_stopped, how_to_go_on, raise_on_sigterm, signal_behind
from gato_lightning.cli.quiet import quiet
from gato_lightning.cli.run_config import SaveRunConfig
from gato_lightning.cli.task_stanzas import bad_stanza, check_task_names, stanzas, task_overrides
from gato_lightning.errors import UserError, behind
from gato_lightning.model.checkpoint import differences
from gato_lightning.model.pretrained import WEIGHTS, find
from gato_lightning.training.run_folder import claim_version, config_beside
from gato_lightning.training.trainer import GatoTrainer

# Lightning's Timer has an enum for a default where it says `str`, and a config that holds it could not be written.
yaml.SafeDumper.add_multi_representer(Enum, lambda dumper, value: dumper.represent_data(value.value))

# What is wrong with the machine and not with the code: full disk or quota, read-only or forbidden place.
_MACHINE_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES)


# Of what Lightning refuses when a run begins or validates: settings that contradict each other or name what is not there.
_LIGHTNINGS_REFUSALS = ("`val_check_interval`", "Early stopping conditioned on metric")


class GatoCLI(LightningCLI):
    """Parses, builds and runs.

    Args:
        model_class: The LightningModule.
        datamodule_class: The DataModule, whose `tasks` argument is a dictionary of stanzas. Its `expand`, if it has one, writes
            out what the `data` of a config file says in short.
        args: The command line without the program's name.
        commands: Names of subcommands that are done elsewhere, for the help.
    """

    def __init__(
        self,
        model_class: type[LightningModule],
        datamodule_class: type[LightningDataModule],
        args: list[str],
        commands: Iterable[str] = (),
    ) -> None:
        files, self.overrides = split_config_args(with_pretrained(args))
        if not files and (checkpoint := _value_of("--ckpt_path", self.overrides)):
            files = [config_beside(checkpoint)]
        self.file_config = read_config_files(files, getattr(datamodule_class, "expand", lambda data: data))
        check_class_paths(self.file_config)
        self.tasks_type = get_type_hints(vars(datamodule_class)["__init__"])["tasks"]
        self.changed_settings: list[str] = []
        # Runs of one config are found under its name.
        name = Path(files[0]).stem if files and Path(files[0]).stem != "config" else "gato"
        # Absolute `${a.b}` would otherwise be sought from the subcommand's parent.
        set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
        super().__init__(
            model_class,
            datamodule_class,
            save_config_callback=SaveRunConfig,
            save_config_kwargs={"command": shlex.join(["python", "run.py", *args])},
            trainer_class=GatoTrainer,
            trainer_defaults={
                # The mixture gives each rank its own sequences.
                "use_distributed_sampler": False,
                "logger": {
                    "class_path": "lightning.pytorch.loggers.TensorBoardLogger",
                    "init_args": {"save_dir": "logs", "name": name, "default_hp_metric": False},
                },
            },
            seed_everything_default=0,
            parser_kwargs={
                "parser_mode": "omegaconf+",
                "exit_on_error": False,
                "allow_abbrev": False,
                "epilog": "See also: " + ", ".join(f"run.py {name} --help" for name in commands),
            },
            args=self.overrides,
            auto_configure_optimizers=False,
        )

    @staticmethod
    def subcommands() -> dict[str, set[str]]:
        """Lightning's four, `prepare`, `rollout` and `export`; for each, the arguments that are not the user's to give."""
        # `weights_only` is no choice here: see `GatoCheckpointIO`.
        skipped = {name: {*skip, "weights_only"} for name, skip in LightningCLI.subcommands().items()}
        return {**skipped, **{name: {"model", "datamodule"} for name in ("prepare", "rollout", "export")}}

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """Adds `vars`, for values that several settings share, and hands the data what it shares with the model."""
        parser.add_argument("--vars", type=dict, default={}, help="Values of your own, for use as ${vars.name}.")
        for name in {"context_length", "vocabulary"} & inspect.signature(self._datamodule_class).parameters.keys():
            parser.link_arguments(f"model.config.{name}", f"data.{name}")

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        """Parses the merged files and the overrides; each mistake becomes a `UserError`."""
        args = ["--print_config=comments" if arg == "--print_config" else arg for arg in self.overrides]
        tasks, overrides = stanzas(self.file_config), task_overrides(args)
        check_task_names(tasks, overrides)
        if self.file_config:
            # Right behind the subcommand, so that every override comes later and wins.
            args[1:1] = ["--config", to_yaml(self.file_config)]
        try:
            self.config = parser.parse_args(args)
        except ArgumentError as error:
            message = str(error)
            bad = bad_stanza(self.tasks_type, tasks, overrides) if '"data.tasks"' in message else None
            task, message = bad or (None, message)
            subparser = self._subcommand_parsers.get(args[0]) if args else None
            options = subparser.get_defaults(skip_validation=True).keys(branches=True) if subparser else ()
            raise UserError(explain(message, options, task)) from error
        except OmegaConfBaseException as error:
            key = str(error.full_key).partition(".")[2]
            cause = str(error.msg).splitlines()[0]
            if found := re.search(r"\(resolved to '\w+\.(.+)'\)", cause):
                cause = f"${{{found[1]}}} is not set"
            raise UserError(f"{key}: {cause}") from error

    def _parse_ckpt_path(self) -> None:
        """Lightning would let the checkpoint silently win over files and command line, with the classes it names."""
        if self.config[self.config.subcommand].get("ckpt_path") == "best":
            raise UserError("--ckpt_path best: a new process does not know which one that is; name the file")

    def instantiate_classes(self) -> None:
        """Builds everything; a task that cannot be built is named."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            if (package := behind(error, ModuleNotFoundError)) is not None:
                raise UserError(str(package)) from error
            if (mistake := behind(error, UserError)) is None:
                raise
            tasks, overrides = stanzas(self.file_config), task_overrides(self.overrides)
            bad = bad_stanza(self.tasks_type, tasks, overrides, instantiate=True)
            raise UserError(f"task '{bad[0]}': {bad[1]}" if bad else str(mistake)) from error
        self._compare_with_checkpoint()

    def _compare_with_checkpoint(self) -> None:
        """Tells where the checkpoint's settings differ from the config's, which hold."""
        path = self.config[self.config.subcommand].get("ckpt_path")
        if not path or path in ("last", "hpc"):
            return  # Lightning looks for these itself, in the folder of this run
        io: Any = self.trainer.strategy.checkpoint_io
        stored = io.load_settings(path)
        self._dump_config()
        self.changed_settings = differences(stored, self.config_dump["model"], "model.")
        for line in self.changed_settings:
            print(f"note: {line}", file=sys.stderr)

    def before_fit(self) -> None:
        """Takes the log folder, so that of runs which start at the same time each has its own."""
        if self.trainer.is_global_zero:
            for logger in self.trainer.loggers:
                claim_version(logger)

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        """Builds the trainer, which refuses what it cannot do on this machine by a ValueError."""
        try:
            return super().instantiate_trainer(**kwargs)
        except (ValueError, ModuleNotFoundError) as error:
            raise UserError(f"trainer: {behind(error, UserError) or error}") from error

    def _run_subcommand(self, subcommand: str) -> None:
        try:
            super()._run_subcommand(subcommand)
        except (KeyboardInterrupt, SystemExit) as error:
            if subcommand == "fit" and (stopped_by := signal_behind(error)):
                exit_stopped(stopped_by, how_to_go_on(self.trainer), error)
            raise
        except (RuntimeError, ValueError) as error:
            if any(words in str(error) for words in _LIGHTNINGS_REFUSALS):
                raise UserError(f"trainer: {str(error).strip()}") from error
            if "loading state_dict" not in str(error):
                raise
            why = "; ".join(self.changed_settings) or " ".join(str(error).split())[:300]
            raise UserError(f"the checkpoint does not fit this model: {why}") from error


def run(
    model_class: type[LightningModule],
    datamodule_class: type[LightningDataModule],
    args: list[str] | None = None,
    commands: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Runs a command line.

    What ends it early ends it with one line on stderr: a user's mistake with exit status 2, Ctrl-C with 130, SIGTERM with 143.

    Args:
        model_class: The LightningModule.
        datamodule_class: The DataModule.
        args: The command line without the program's name; by default that of the process.
        commands: Further subcommands, which need neither model nor DataModule: by name the function, `module:name`, see `call`.
    """
    quiet()
    keep_freed_memory()
    raise_on_sigterm()
    args = sys.argv[1:] if args is None else args
    try:
        if args and args[0] in commands:
            call(commands[args[0]], args)
        else:
            GatoCLI(model_class, datamodule_class, args, commands)
    except (UserError, MisconfigurationException) as error:
        _give_up(str(error), error)
    except (KeyboardInterrupt, SystemExit) as error:
        if stopped_by := signal_behind(error):
            exit_stopped(stopped_by, "stopped; the same command goes on from here", error)
        raise
    except OSError as error:
        if error.errno not in _MACHINE_ERRORS:
            raise
        _give_up(f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror), error)


def _give_up(message: str, error: Exception) -> NoReturn:
    # A DataLoader worker sends its error with the whole traceback as the message, and the error's own words last.
    message = message.rpartition("UserError: ")[2]
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2) from error


def with_pretrained(args: list[str]) -> list[str]:
    """Returns a command line with `--pretrained NAME` written out as the checkpoint of that model.

    Raises:
        UserError: there is no such model.
    """
    name = _value_of("--pretrained", args)
    if name is None:
        return args
    folder = find(name)
    place = next(i for i, arg in enumerate(args) if arg.startswith("--pretrained"))
    rest = args[:place] + args[place + (1 if "=" in args[place] else 2) :]
    if args[:1] == ["rollout"] and _value_of("--output", args) is None:
        rest += ["--output", f"{folder.name}.rollout.json"]  # in the working directory, not in the package
    return [*rest, "--ckpt_path", str(folder / WEIGHTS)]


def _value_of(option: str, args: list[str]) -> str | None:
    for number, arg in enumerate(args):
        if arg == option:
            return args[number + 1] if number + 1 < len(args) else None
        if arg.startswith(f"{option}="):
            return arg.partition("=")[2]
    return None
