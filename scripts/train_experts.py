"""Trains the linear experts that datamodules/control/experts holds.

    python scripts/train_experts.py --experts Swimmer-v5,Hopper-v5
    python scripts/train_experts.py --list

One process, no GPU. It can be stopped at any time and goes on from its checkpoint when started again; a finished expert is
trained further if its recipe asks for more timesteps than it has had. scripts/expert_recipes.py holds the recipes.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the project's root, as for run.py

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from datamodules.control.experts.linear_policy import EXPERTS, LinearPolicy
from gato_lightning.common.tables import narrow_table
from gato_lightning.errors import UserError, unknown
from scripts.expert_recipes import RECIPES
from scripts.random_search import Trainer


def reached(names: list[str], folder: Path) -> Table:
    """What the experts in a folder reach, from their own metadata."""
    columns = ("expert", "features", "timesteps", "return", "deviation", "random", "episodes", "others")
    table = narrow_table("experts", columns, {"expert", "features", "others"}, "timesteps: of the search")
    for name in names:
        if not (path := folder / f"{name}.safetensors").exists():
            table.add_row(name, "", "", "not trained")
            continue
        policy = LinearPolicy.load(path)
        keys = ("timesteps", "return_mean", "return_std", "random_return_mean", "episodes", "literature")
        table.add_row(name, policy.features, *(str(policy.about[key]) for key in keys))
    return table


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--experts", default="", help="names, separated by commas; default: all")
    parser.add_argument("--out", type=Path, default=EXPERTS, help="folder of the experts")
    parser.add_argument("--checkpoints", type=Path, default=Path("logs/experts"), help="folder of unfinished searches")
    parser.add_argument("--timesteps", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true", help="show what the experts reach, and others")
    options = parser.parse_args(arguments)
    names = options.experts.split(",") if options.experts else list(RECIPES)
    for name in names:
        if name not in RECIPES:
            raise unknown("expert", name, RECIPES)
    if options.list:
        Console().print(reached(names, options.out))
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        for name in names:
            recipe = RECIPES[name] if options.timesteps is None else RECIPES[name].lasting(options.timesteps)
            trainer = Trainer(name, recipe, options.checkpoints / f"{name}-{options.seed}.safetensors", options.seed)
            trainer.run(progress)
            expert = trainer.expert()
            expert.save(options.out / f"{name}.safetensors")
            progress.console.print(
                f"{name}: mean return {expert.about['return_mean']}, random {expert.about['random_return_mean']}"
            )


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        sys.exit(f"error: {error}")
