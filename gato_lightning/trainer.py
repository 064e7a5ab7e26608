"""The Trainer with one method more: `rollout`, which plays a checkpoint in the real environments."""

from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Trainer
from rich.console import Console

from gato_lightning.checkpoint import GatoCheckpointIO, load_checkpoint
from gato_lightning.errors import UserError
from gato_lightning.policy import ActingSettings
from gato_lightning.report import score_records, score_table, write_json
from gato_lightning.rollout import TaskScore, evaluate_tasks, mean_score
from gato_lightning.tasks import FINAL_SEED


class GatoTrainer(Trainer):
    """Lightning's Trainer; it reads checkpoints weights-only, whichever method asks, and can `rollout`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.strategy.checkpoint_io = GatoCheckpointIO()

    def rollout(
        self,
        model: Any,
        datamodule: Any,
        ckpt_path: str | None = None,
        tasks: str | None = None,
        episodes: int = 20,
        seed: int = FINAL_SEED,
        acting: ActingSettings = ActingSettings(),
        output: str | None = None,
    ) -> list[TaskScore]:
        """Plays a checkpoint in the real environments and prints the table of scores.

        Args:
            model: a GatoModule, whose weights are replaced by those of the checkpoint.
            datamodule: a mixture, which knows the tasks and their environments.
            ckpt_path: the checkpoint. Without `--config`, the config of the run that wrote it is used.
            tasks: names of control tasks, with commas between; all of them if left out.
            episodes: episodes a task.
            seed: of a task's first episode; by default one that neither demonstrations nor any choice have used.
            acting: how the agent acts.
            output: the JSON file to write; by default the checkpoint's name with `.rollout.json`.
        """
        if ckpt_path is None:
            raise UserError("rollout needs --ckpt_path")
        checkpoint = load_checkpoint(ckpt_path)
        # The hooks of model and data find each other through their trainer.
        self.datamodule, datamodule.trainer, model.trainer = datamodule, self, self
        datamodule.prepare_data()
        datamodule.setup("rollout")
        chosen = datamodule.control_tasks([name.strip() for name in tasks.split(",")] if tasks else None)

        model.on_load_checkpoint(checkpoint)
        model.load_state_dict(checkpoint["state_dict"])
        model.to(self.strategy.root_device).eval()
        with torch.inference_mode(), self.precision_plugin.forward_context():
            scores = evaluate_tasks(model.model, chosen.values(), seed, episodes, settings=acting)

        Console().print(score_table(scores))
        path = Path(output) if output else Path(ckpt_path).with_suffix(".rollout.json")
        content = {"checkpoint": ckpt_path, "mean_score": mean_score(scores), "control": score_records(scores)}
        write_json(path, content)
        print(f"scores written to {path}")
        return scores
