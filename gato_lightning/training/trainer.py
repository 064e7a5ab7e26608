"""The Trainer with one method more: `rollout`, which plays a checkpoint in the real environments."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.accelerators import Accelerator
from lightning.pytorch.callbacks import ProgressBar
from lightning.pytorch.plugins.precision import Precision
from lightning.pytorch.utilities import rank_zero_info
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gato_lightning.acting.agent import ActingSettings
from gato_lightning.common.outputs import check_file, check_folder
from gato_lightning.common.ranks import together
from gato_lightning.common.settings import PositiveFloat, PositiveInt, Seed, check_settings
from gato_lightning.errors import UserError, unknown
from gato_lightning.evaluation.environments import Environments
from gato_lightning.evaluation.episode_log import EpisodeLog
from gato_lightning.evaluation.figures import tasks_above_figure
from gato_lightning.evaluation.report import control_report, score_tables, write_csv, write_json
from gato_lightning.evaluation.rollout import OnEpisode, evaluate_tasks, gather_scores
from gato_lightning.evaluation.scores import EpisodeResult, TaskScore
from gato_lightning.model.checkpoint import GatoCheckpointIO
from gato_lightning.model.precision import PrecisionChoice, choose_precision
from gato_lightning.sequences.tasks import FINAL_SEED, ControlTask
from gato_lightning.training.export import export_run
from gato_lightning.training.finite import FiniteTraining
from gato_lightning.training.last_checkpoint import LastCheckpoint
from gato_lightning.training.progress_bar import StepProgressBar
from gato_lightning.training.run_folder import config_beside


class GatoTrainer(Trainer):
    """Lightning's Trainer; it reads checkpoints weights-only, whichever method asks, leaves one of the last step, counts
    steps in its progress bar, and can `rollout`."""

    def __init__(
        self,
        *args: Any,
        accelerator: str | Accelerator = "auto",
        precision: Literal["auto"] | _PRECISION_INPUT | None = "auto",
        nonfinite_steps: PositiveInt = 20,
        **kwargs: Any,
    ) -> None:
        """`precision: auto` takes the faster one of `bf16-mixed` and `32-true` on the machine at hand.

        A run whose loss has not been finite in `nonfinite_steps` steps in a row is stopped.
        """
        check_settings({"nonfinite_steps": nonfinite_steps}, GatoTrainer.__init__)
        own = [plugin for plugin in _list(kwargs.get("plugins")) if isinstance(plugin, Precision)]
        if own:
            self.precision_choice = PrecisionChoice(own[0].precision, "a plugin's")
            kwargs["precision"] = None
        else:
            self.precision_choice = choose_precision(str(precision or "auto"), _device_kind(accelerator))
            kwargs["precision"] = self.precision_choice.precision
        named = list(_list(kwargs.get("callbacks")))  # Lightning adds its own to the list itself
        super().__init__(*args, accelerator=accelerator, **kwargs)
        cores = os.cpu_count() or 1
        if self.strategy.root_device.type == "cpu" and self.num_devices > cores:  # each is a process, with all of the model
            raise UserError(f"trainer.devices: {self.num_devices}, expected at most {cores}, the CPU cores of this machine")
        rank_zero_info(f"precision: {self.precision_choice}")
        self.strategy.checkpoint_io = GatoCheckpointIO(self.strategy.checkpoint_io)
        self.callbacks = [
            LastCheckpoint(),
            FiniteTraining(nonfinite_steps),
            *self._with_step_bar(named),
        ]  # called in this order

    def _with_step_bar(self, given: list[Any]) -> list[Callback]:
        """The callbacks, with the bar that counts steps for Lightning's own; one that was `given` is kept."""
        current: list[Callback] = self.callbacks
        return [StepProgressBar() if isinstance(one, ProgressBar) and one not in given else one for one in current]

    def _run_stage(self) -> Any:
        if self.training and 0 < self.max_steps <= self.global_step:
            return self._end_again()
        return super()._run_stage()

    def _end_again(self) -> None:
        """Makes the evaluation at the end of a run that is resumed from its last step; Lightning would leave it out."""
        rank_zero_info(f"all {self.max_steps} steps are done; what follows is the evaluation")
        loop = self.fit_loop
        loop.setup_data()
        loop.reset()
        loop.on_run_start()
        if self.enable_validation:
            self.validating = True
            loop.epoch_loop.val_loop.run()
            self.training = True
        loop.on_run_end()

    def rollout(
        self,
        model: Any,
        datamodule: Any,
        ckpt_path: str | None = None,
        tasks: str | None = None,
        suite: str | None = None,
        episodes: PositiveInt = 20,
        seed: Seed = FINAL_SEED,
        acting: ActingSettings = ActingSettings(),
        lanes: PositiveInt = 32,
        workers: PositiveInt | None = None,
        time_limit: PositiveFloat = 60.0,
        videos: str | None = None,
        output: str | None = None,
    ) -> list[TaskScore]:
        """Plays a checkpoint in the real environments, prints the tables of scores and writes them.

        Several devices (`trainer.devices`) share the tasks out.

        Args:
            model: a GatoModule, whose weights are replaced by those of the checkpoint.
            datamodule: a mixture, which knows the tasks and their environments.
            ckpt_path: the checkpoint. Without `--config`, the config of the run that wrote it is used.
            tasks: names of control tasks, with commas between; all of them if left out.
            suite: domains whose tasks are played, with commas between, such as `babyai,metaworld`; all if left out.
            episodes: episodes a task, 1 or more.
            seed: of a task's first episode; by default one that neither demonstrations nor any choice have used; 0 or more.
            acting: how the agent acts.
            lanes: environments at once, of whatever tasks; 1 or more.
            workers: processes that the environments live in, for each device; 1 or more; one a core in all if left out.
            time_limit: seconds that an environment may take for a reset or a step, above 0.
            videos: names of the tasks whose first episode is recorded, with commas between, or `all`.
            output: the `.json` file to write; by default the checkpoint's name with `.rollout.json`. The episodes go into a CSV
                file, the figure into a PNG file and the videos into a folder of that name. Until all is done, `.part` files
                keep the episodes, and the same command goes on from them.
        """
        check_settings(locals(), GatoTrainer.rollout)
        if ckpt_path is None:
            raise UserError("rollout needs --ckpt_path")
        path = Path(output) if output else Path(ckpt_path).with_suffix(".rollout.json")
        _check_outputs(path, bool(videos))
        checkpoint = self.strategy.checkpoint_io.load_checkpoint(ckpt_path)

        datamodule.restrict(_names(tasks), _names(suite))

        def played() -> list[TaskScore]:
            self._prepare(model, datamodule)
            with together():
                chosen = self._loaded(model, datamodule, checkpoint, _names(tasks), _names(suite))
                record = list(chosen) if videos == "all" else _names(videos) or []
                for name in record:
                    if name not in chosen:
                        raise unknown("task in --videos", name, chosen)
                mine = list(chosen.values())[self.global_rank :: self.world_size]
                cores = (os.cpu_count() or 1) // self.num_devices
                environments = Environments(mine, lanes, workers or max(1, cores), time_limit)
                same = {"checkpoint": Path(ckpt_path).stat().st_mtime_ns, "acting": asdict(acting), "seed": seed}
                episode_log = EpisodeLog(path.with_suffix(f".part{self.global_rank}"), same | {"ranks": self.world_size})
                progress = _progress(len(mine) * episodes, episode_log, shown=self.is_global_zero)
                arithmetic = self.precision_plugin.forward_context()
                try:
                    with progress as on_episode, torch.inference_mode(), arithmetic:
                        scores = evaluate_tasks(
                            model.model, mine, seed, episodes, environments, acting, record, on_episode, episode_log.done
                        )
                finally:
                    environments.close()
                    episode_log.close()
            scores = gather_scores(scores)
            with together():  # the logs stay until the results are on the disk
                if self.is_global_zero:
                    head = {"checkpoint": ckpt_path, "episodes": episodes, "first_seed": seed}
                    write_json(path, head | control_report(scores))
                    _write_beside(path, scores)
            episode_log.remove()
            return scores

        # Starts the other ranks, where there are any and nobody else did.
        launcher = self.strategy.launcher
        scores: list[TaskScore] = launcher.launch(played, trainer=self) if launcher else played()
        if self.is_global_zero:
            Console().print(score_tables(scores))
            print(f"scores written to {path}")
        return scores

    def prepare(self, model: Any, datamodule: Any, tasks: str | None = None, suite: str | None = None) -> None:
        """Makes the episode stores that a run lacks, and nothing else: collects demonstrations and measures references.

        Tasks whose stores are complete stay so when the command is stopped; the same command goes on with the others.

        Args:
            model: a GatoModule.
            datamodule: a mixture.
            tasks: names of tasks, with commas between; all of them if left out.
            suite: domains whose tasks are prepared, with commas between, such as `babyai,metaworld`; all if left out.
        """
        datamodule.restrict(_names(tasks), _names(suite))
        self._prepare(model, datamodule)
        print(f"stores of {len(datamodule.tasks)} tasks are ready")

    def export(self, model: Any, datamodule: Any, ckpt_path: str | None = None, output: str | None = None) -> None:
        """Writes a checkpoint as a pretrained folder: safetensors, prompts of its tasks to act in, config and model card.

        Args:
            model: a GatoModule.
            datamodule: the mixture of the run.
            ckpt_path: the checkpoint.
            output: the folder to write.

        Raises:
            UserError: a path that is missing or cannot be written.
        """
        if ckpt_path is None or output is None:
            raise UserError("export needs --ckpt_path and --output FOLDER")
        check_folder(Path(output), f"--output {output}")
        checkpoint = self.strategy.checkpoint_io.load_checkpoint(ckpt_path)
        self._prepare(model, datamodule)
        self._loaded(model, datamodule, checkpoint, None, None)
        tasks = datamodule.acting_tasks()
        run = Path(config_beside(ckpt_path)).parent
        report = run / "report.json"
        config = (run / "config.yaml").read_text(encoding="utf-8")
        export_run(Path(output), checkpoint, tasks, config, report if report.exists() else None)
        print(f"pretrained model written to {output}")

    def _prepare(self, model: Any, datamodule: Any) -> None:
        """Makes the ranks known to each other, and the stores."""
        self.strategy.setup_environment()
        # The hooks of model and data find each other through their trainer.
        self.datamodule, datamodule.trainer, model.trainer = datamodule, self, self
        with together():
            if self.local_rank == 0:
                datamodule.prepare_data()

    def _loaded(
        self, model: Any, datamodule: Any, checkpoint: dict[str, Any], names: list[str] | None, suites: list[str] | None
    ) -> dict[str, ControlTask]:
        """Opens the stores and loads the weights; returns the chosen tasks."""
        datamodule.setup("rollout")
        model.on_load_checkpoint(checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        model.to(self.strategy.root_device).eval()
        return of_suites(datamodule.control_tasks(names), suites)


def _list(given: Any) -> list[Any]:
    """What the Trainer takes as one, several or none."""
    return given if isinstance(given, list) else [] if given is None else [given]


def _device_kind(accelerator: str | Accelerator) -> str:
    """`cpu`, `cuda` or what else the Trainer will run on."""
    if isinstance(accelerator, Accelerator):
        return accelerator.name()
    if accelerator in ("auto", "gpu"):
        found = torch.accelerator.current_accelerator(check_available=True)
        return found.type if found else "cpu"
    return accelerator


@contextmanager
def _progress(total: int, episode_log: EpisodeLog, shown: bool) -> Iterator[OnEpisode]:
    """A bar of a rank's episodes; gives what is to be called after each, which also writes it to the log."""
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(TextColumn("{task.description}"), *columns, disable=not shown) as progress:
        bar = progress.add_task("playing", total=total, completed=sum(map(len, episode_log.done.values())))

        def on_episode(task: str, episode: EpisodeResult) -> None:
            episode_log.add(task, episode)
            progress.update(bar, advance=1, description=f"playing {task}")

        yield on_episode


def of_suites(tasks: Mapping[str, ControlTask], suites: Iterable[str] | None) -> dict[str, ControlTask]:
    """The tasks whose domain is among the suites; all of them without suites.

    Raises:
        UserError: a suite that none of the tasks belongs to; with near matches.
    """
    if suites is None:
        return dict(tasks)
    domains = {task.domain for task in tasks.values()}
    for suite in suites:
        if suite not in domains:
            raise unknown("suite", suite, domains)
    return {name: task for name, task in tasks.items() if task.domain in suites}


def _names(joined: str | None) -> list[str] | None:
    """`a, b` as names."""
    return [name.strip() for name in joined.split(",")] if joined else None


def _check_outputs(path: Path, videos: bool) -> None:
    """Finds out before anything is played whether `_write_beside` can write."""
    if path.suffix != ".json":
        raise UserError(f"--output {path}: expected the name of a .json file")
    for suffix in (".json", ".csv", ".png"):
        check_file(path.with_suffix(suffix), f"--output {path}")
    if videos:
        check_folder(path.with_suffix(""), f"--output {path}")


def _write_beside(path: Path, scores: list[TaskScore]) -> None:
    """The episodes, the figure and the videos, by the name of the JSON file."""
    write_csv(path.with_suffix(".csv"), scores)
    tasks_above_figure(scores).savefig(path.with_suffix(".png"), dpi=120)
    for score in scores:
        if score.video is not None:
            video = path.with_suffix("") / f"{score.task}.gif"
            video.parent.mkdir(parents=True, exist_ok=True)
            video.write_bytes(score.video.data)
