"""A checkpoint as a pretrained folder, for everyone to use."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gato_lightning.acting.gato_agent import task_settings, write_prompts
from gato_lightning.model.checkpoint import MARK
from gato_lightning.model.pretrained import PROMPTS, WEIGHTS, write_pretrained
from gato_lightning.sequences.tasks import ControlTask


def export_run(
    folder: Path, checkpoint: Mapping[str, Any], tasks: Mapping[str, ControlTask], config: str, report: Path | None
) -> None:
    """Writes weights, settings, prompts, the run's config and a model card.

    Args:
        folder: where to; made if it is not there.
        checkpoint: as read from the disk.
        tasks: control tasks that the model knows.
        config: text of the run's config.
        report: the run's `report.json`, whose scores go into the card.
    """
    stored = checkpoint[MARK]
    settings = {key: stored[key] for key in ("version", "config", "tokenizer_sha256", "tokenizer_path", "images")}
    known = {name: task_settings(task) for name, task in tasks.items()}
    write_pretrained(folder, checkpoint["state_dict"], {**settings, "tasks": known})
    for task in tasks.values():
        if not (folder / PROMPTS / task.name).exists():
            write_prompts(folder, task)
    (folder / "config.yaml").write_text(config, encoding="utf-8")
    found = json.loads(report.read_text()) if report else None
    (folder / "README.md").write_text(card(folder.name, checkpoint, config, found), encoding="utf-8")


def card(name: str, checkpoint: Mapping[str, Any], config: str, report: Mapping[str, Any] | None) -> str:
    """Returns the model card: what the model is, how it was trained, and what it reaches."""
    parameters = sum(tensor.numel() for tensor in checkpoint["state_dict"].values())
    command = config.splitlines()[0].removeprefix("# ") if config.startswith("#") else ""
    lines = [
        *(
            "---",
            "license: apache-2.0",
            "library_name: gato-lightning",
            "tags: [robotics, reinforcement-learning, gato]",
            "---",
        ),
        *(f"# {name}", ""),
        f"A generalist agent in the manner of Gato (Reed et al. 2022) with {parameters:,} parameters, in bf16 ({WEIGHTS}).",
        *("", f"Trained by `{command}`." if command else "", ""),
    ]
    if report:
        times = report.get("seconds_by_part", {})
        lines += [
            f"{report['steps']} steps, {report['tokens_seen']:,} tokens, {report['wall_seconds'] / 60:.1f} minutes in all"
            f" ({times.get('training', 0):.0f} s of training) on {report['device']}, {report['precision']}.",
            *("", "| task | return | random | expert | score | 95% interval |", "|---|---|---|---|---|---|"),
        ]
        for one in report["control"]:
            low, high = (one["score_interval"] or [None, None, None])[-2:]
            interval = f"{low:.2f} to {high:.2f}" if low is not None else ""
            means = " | ".join(f"{one[key]:.2f}" for key in ("mean_return", "random_return", "expert_return", "score"))
            lines.append(f"| {one['task']} | {means} | {interval} |")
        text = [(task, key, value) for task, metrics in report["text"].items() for key, value in metrics.items()]
        if text:
            lines += ["", "| task | metric | value |", "|---|---|---|"]
            lines += [f"| {task} | {key} | {value:.3f} |" for task, key, value in text]
        lines.append("")
    lines += [
        "Scores: (return - random) / |expert - random|, on seeds that no demonstration has used.",
        "",
        "```python",
        "from gato_lightning.acting.gato_agent import GatoAgent",
        "",
        f'agent = GatoAgent.from_pretrained("{name}")',
        'agent.reset(task="cartpole", seed=0)',
        "action = agent.select_action(observation)",
        "```",
    ]
    return "\n".join(lines) + "\n"
