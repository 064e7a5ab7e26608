"""Collects demonstrations of a task as a Minari data set: in blocks, which a killed run keeps, and which are then assembled.

```
ROOT/.collect/TASK-KEY/expert-0-25.json    the results of a block of 25 seeds; the file exists when the block is complete
ROOT/.collect/TASK-KEY/SEED.arrow          an episode of the expert
ROOT/.collect/TASK-KEY/random-....json     returns of random play
ROOT/TASK/expert-v0/data/                  the data set, once all blocks are complete
```
A block has no folder of its own: making and removing one can take longer than a short episode. An episode depends only on its
seed, and the division of a task into blocks only on the number of episodes. So a data set is the same, byte for byte, for any
number of processes, interrupted or not.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from datamodules.control.environment_task import seed_ranges
from datamodules.control.expert_task import ControlDataModule
from datamodules.control.minari_files import episode_metadata, versions, write_episode, write_metadata
from datamodules.control.suites import Task
from gato_lightning.common.outputs import whole_file
from gato_lightning.errors import ExpertFailure, UserError, said
from gato_lightning.sequences.tasks import DEMONSTRATION_SEED, REFERENCE_SEED
from gato_lightning.tokens.episode import plain_space

Player = Literal["expert", "random"]
DATASET = "expert-v0"  # follows the task's name in the id of a data set
FORMAT = 3  # version of blocks and data sets; increase it when their meaning changes, so that old ones are not used
_FIRST_SEED: dict[Player, int] = {"expert": DEMONSTRATION_SEED, "random": REFERENCE_SEED}


@dataclass(frozen=True)
class Plan:
    """Describes what is collected for a task.

    Args:
        task: the task.
        episodes: number of episodes of the expert, and of the random policy.
        seed: number added to the seeds of the episodes.
        min_score: episodes with a lower normalised score are left out, see `Finish`; None keeps all.
        root: the folder of all data sets.
        limit: maximum seconds per episode.
    """

    task: Task
    episodes: int
    seed: int
    min_score: float | None
    root: Path
    limit: float = 300.0

    @property
    def dataset_id(self) -> str:
        return f"{self.task.name}/{DATASET}"

    @property
    def folder(self) -> Path:
        """Folder of the complete data set."""
        return self.root / self.dataset_id

    @cached_property
    def work(self) -> Path:
        """Folder of the blocks until the data set is complete; its name contains a hash of all that shapes them."""
        shaped = [FORMAT, self.task.class_path, self.task.init_args, self.seed, versions()]
        key = hashlib.sha256(json.dumps(shaped, sort_keys=True, default=str).encode()).hexdigest()[:16]
        return self.root / ".collect" / f"{self.task.name}-{key}"

    def arrow(self, seed: int) -> Path:
        """Returns the file of an episode until the data set is complete."""
        return self.work / f"{seed}.arrow"

    def ranges(self) -> list["EpisodeRange"]:
        """Returns all ranges of episodes, one per block."""
        return [
            EpisodeRange(self, policy, seeds)
            for policy, first in _FIRST_SEED.items()
            for seeds in seed_ranges(first + self.seed, self.episodes)
        ]

    def settings(self) -> dict[str, Any]:
        """Returns the collection settings for the metadata."""
        return {"format": FORMAT, "episodes_asked": self.episodes, "seed": self.seed, "min_score": self.min_score}


@dataclass(frozen=True)
class EpisodeRange:
    """A block: episodes of the expert, or of the random policy, for a range of seeds."""

    plan: Plan
    policy: Player
    seeds: range

    def __str__(self) -> str:
        return f"task {self.plan.task.name}, {self.policy}"

    @property
    def limit(self) -> float:
        return self.plan.limit

    @property
    def records(self) -> Path:
        """The file of the seeds' results; it exists when the block is complete."""
        return self.plan.work / f"{self.policy}-{self.seeds.start}-{self.seeds.stop}.json"

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> str | None:
        """Plays and saves the episodes; returns None, or the reason why the task cannot be played at all.

        An episode that goes wrong is recorded as failed, with the reason.
        """
        try:
            _opened(self.plan.task)
        except Exception as error:  # the environment's constructor may raise any type
            return said(error)
        self.plan.work.mkdir(parents=True, exist_ok=True)
        records = []
        for seed in self.seeds:
            if seed in faults:
                outcome = {"failure": faults[seed]}
            else:
                begin(seed)
                outcome = self._episode(seed)
            records.append({"seed": seed, **outcome})
        with whole_file(self.records) as partial:
            partial.write_text(json.dumps(records))
        return None

    def _episode(self, seed: int) -> dict[str, Any]:
        try:
            module = _opened(self.plan.task)
            if self.policy == "random":
                return {"return": module.random_return(seed)}
            played = module.play(seed)
        except ExpertFailure as error:
            return {"failure": str(error)}
        except Exception as error:  # the environment may raise any type, and be unusable afterwards
            _close()
            return {"failure": said(error)}
        try:
            write_episode(self.plan.arrow(seed), module.observation_space, module.action_space, played)
        except UserError as error:  # a value outside its space
            return {"failure": str(error)}
        return {"return": played.total_reward, "length": len(played), "success": module.success(played)}


@dataclass(frozen=True)
class Finish:
    """Assembles the data set from its blocks.

    Gato's filter keeps the episodes whose return is at least 80% of the expert's (`best_windowed_mean`). Here the threshold
    is that share of the way from the random policy's return to the expert's: the same if random play earns 0, and defined if
    returns are negative.
    """

    plan: Plan
    limit = math.inf

    def __str__(self) -> str:
        return f"task {self.plan.task.name}, data set"

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> str | None:
        """Writes the data set; returns None, or the reason why it cannot be written."""
        plan, module = self.plan, _opened(self.plan.task)
        expert, random = (self._records(policy) for policy in _FIRST_SEED)
        played = [record for record in expert if "return" in record]
        returns = np.array([record["return"] for record in played])
        random_returns = np.array([record["return"] for record in random if "return" in record])
        failures = [record for record in (*expert, *random) if "failure" in record]
        if not len(returns) or not len(random_returns):
            return f"all of {plan.episodes} episodes failed; the first, seed {failures[0]['seed']}: {failures[0]['failure']}"
        best, least = best_windowed_mean(returns), -np.inf
        if plan.min_score is not None:
            least = random_returns.mean() + plan.min_score * (best - random_returns.mean())
        kept = [record for record in played if record["return"] >= least]
        if not kept:
            return (
                f"none of {len(played)} episodes has a return of at least {least:.2f}, as min_score {plan.min_score} requires"
            )
        metadata = {
            "dataset_id": plan.dataset_id,
            "total_episodes": len(kept),
            "total_steps": sum(record["length"] for record in kept),
            "algorithm_name": module.expert_name,
            "description": f"{plan.task.name}: what {module.expert_name} does, collected by gato-lightning",
            "ref_min_score": float(random_returns.mean()),
            "ref_max_score": float(returns.mean()),
            "num_episodes_average_score": len(returns),
            "task": plan.task.name,
            "suite": plan.task.suite,
            "domain": plan.task.domain,
            **plan.settings(),
            "returns": statistics(returns),
            "random_returns": statistics(random_returns),
            "success_rate": success_rate(expert),
            "best_windowed_mean": best,
            "min_return": None if plan.min_score is None else float(least),
            "left_out": len(played) - len(kept),
            "failures": failures,
            "versions": versions(),
        }
        whole = plan.work / "whole"
        self._assemble(whole / "data", kept)
        spaces = plain_space(module.observation_space), plain_space(module.action_space)
        write_metadata(whole / "data", *spaces, module.env_spec(plan.task.name), metadata)
        plan.folder.parent.mkdir(parents=True, exist_ok=True)
        whole.rename(plan.folder)
        shutil.rmtree(plan.work)
        return None

    def _records(self, policy: Player) -> list[dict[str, Any]]:
        ranges = [one for one in self.plan.ranges() if one.policy == policy]
        return [record for one in ranges for record in json.loads(one.records.read_text())]

    def _assemble(self, data: Path, kept: list[dict[str, Any]]) -> None:
        """Moves the episodes to their places, except those that an earlier, killed attempt has moved."""
        (data / "metadata.json").unlink(missing_ok=True)
        for index, record in enumerate(kept):
            folder = data / str(index)
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "part-0.arrow").exists():
                self.plan.arrow(record["seed"]).rename(folder / "part-0.arrow")
            entries = {"total_steps": record["length"], **{key: record[key] for key in ("seed", "return", "success")}}
            (folder / "metadata.json").write_text(episode_metadata(index, **entries))


def best_windowed_mean(returns: np.ndarray) -> float:
    """Returns the expert's return in Gato's filter: of N returns, the highest mean of `min(1000, 0.1 N)` consecutive ones.

    The window has at least one return.
    """
    window = max(1, min(1000, len(returns) // 10))
    sums = np.cumsum([0.0, *returns])
    return float((sums[window:] - sums[:-window]).max() / window)


def statistics(returns: np.ndarray) -> dict[str, float]:
    """Computes mean, standard deviation, minimum, maximum and number of returns."""
    pieces = {"mean": returns.mean(), "std": returns.std(), "min": returns.min(), "max": returns.max()}
    return {**{name: float(value) for name, value in pieces.items()}, "episodes": len(returns)}


def success_rate(records: Iterable[dict[str, Any]]) -> float | None:
    """Computes the share of successes, counting a failed episode as no success; None if the task does not define success."""
    successes = [record.get("success", False) for record in records]
    return None if None in successes else float(np.mean(successes))


# The open task of this process: its environment serves many blocks, and is closed when another task is opened.
_OPEN: dict[str, ControlDataModule] = {}


def _opened(task: Task) -> ControlDataModule:
    if task.name not in _OPEN:
        _close()
        _OPEN[task.name] = task.make()
        _OPEN[task.name].name = task.name
    return _OPEN[task.name]


def _close() -> None:
    for module in _OPEN.values():
        module.drop_env()
    _OPEN.clear()
