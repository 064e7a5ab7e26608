"""Demonstrations of a task as a Minari data set: played in blocks that are kept when a run is killed, then put together.

```
ROOT/.collect/TASK-KEY/expert-0-25.json    what came of each seed of 25 episodes; where it is, this block of them is complete
ROOT/.collect/TASK-KEY/SEED.arrow          an episode of the expert
ROOT/.collect/TASK-KEY/random-....json     returns of random play
ROOT/TASK/expert-v0/data/                  the data set, once all blocks are there
```
A block has no folder of its own: to make and remove one can take longer than a short episode. What an episode holds depends on
its seed alone, and how a task is cut into blocks on the number of episodes: so a data set is the same, byte for byte, for any
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
from gato_lightning.errors import ExpertFailure, UserError, said
from gato_lightning.sequences.tasks import DEMONSTRATION_SEED, REFERENCE_SEED
from gato_lightning.tokens.episode import plain_space

Player = Literal["expert", "random"]
DATASET = "expert-v0"  # behind the task's name
FORMAT = 3  # of blocks and data sets; raise it when their meaning changes, so that old ones are not used
_FIRST_SEED: dict[Player, int] = {"expert": DEMONSTRATION_SEED, "random": REFERENCE_SEED}


@dataclass(frozen=True)
class Plan:
    """What is collected of a task.

    Args:
        task: the task.
        episodes: of the expert, and as many of the random policy.
        seed: added to the seeds of the episodes.
        min_score: episodes with a lower normalised score are left out, see `Finish`; None keeps all.
        root: the folder of all data sets.
        limit: seconds that an episode may take.
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
        """Where the data set is when it is complete."""
        return self.root / self.dataset_id

    @cached_property
    def work(self) -> Path:
        """Where its blocks are until then; of a name made of all that shapes them."""
        shaped = [FORMAT, self.task.class_path, self.task.init_args, self.seed, versions()]
        key = hashlib.sha256(json.dumps(shaped, sort_keys=True, default=str).encode()).hexdigest()[:16]
        return self.root / ".collect" / f"{self.task.name}-{key}"

    def arrow(self, seed: int) -> Path:
        """Where an episode is until then."""
        return self.work / f"{seed}.arrow"

    def ranges(self) -> list["EpisodeRange"]:
        """All ranges of episodes that it is played in."""
        return [
            EpisodeRange(self, policy, seeds)
            for policy, first in _FIRST_SEED.items()
            for seeds in seed_ranges(first + self.seed, self.episodes)
        ]

    def settings(self) -> dict[str, Any]:
        """What the metadata say of how the data set was asked for."""
        return {"format": FORMAT, "episodes_asked": self.episodes, "seed": self.seed, "min_score": self.min_score}


@dataclass(frozen=True)
class EpisodeRange:
    """Some episodes of the expert, or of the random policy."""

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
        """What came of its seeds; the file is there when the block is complete."""
        return self.plan.work / f"{self.policy}-{self.seeds.start}-{self.seeds.stop}.json"

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> str | None:
        """Plays it and keeps it; returns why the task cannot be played at all, or None.

        An episode that goes wrong is recorded as failed, with the reason.
        """
        try:
            _opened(self.plan.task)
        except Exception as error:  # whatever a foreign constructor may raise
            return said(error)
        self.plan.work.mkdir(parents=True, exist_ok=True)
        records = []
        for seed in self.seeds:
            if seed in faults:
                came_of_it = {"failure": faults[seed]}
            else:
                begin(seed)
                came_of_it = self._episode(seed)
            records.append({"seed": seed, **came_of_it})
        partial = self.records.with_suffix(".partial")
        partial.write_text(json.dumps(records))
        partial.rename(self.records)
        return None

    def _episode(self, seed: int) -> dict[str, Any]:
        try:
            module = _opened(self.plan.task)
            if self.policy == "random":
                return {"return": module.random_return(seed)}
            played = module.play(seed)
        except ExpertFailure as error:
            return {"failure": str(error)}
        except Exception as error:  # an environment's, of any type; it may be broken now
            _close()
            return {"failure": said(error)}
        try:
            write_episode(self.plan.arrow(seed), module.observation_space, module.action_space, played)
        except UserError as error:  # a value outside its space
            return {"failure": str(error)}
        return {"return": played.total_reward, "length": len(played), "success": module.success(played)}


@dataclass(frozen=True)
class Finish:
    """Puts the data set together from its blocks.

    Gato's filter keeps the episodes whose return is at least 80% of the expert's (`best_windowed_mean`). Here the share is of
    the way from the random policy's return to the expert's: the same where random play earns nothing, and defined where returns
    are negative.
    """

    plan: Plan
    limit = math.inf

    def __str__(self) -> str:
        return f"task {self.plan.task.name}, data set"

    def __call__(self, begin: Callable[[int], None], faults: dict[int, str]) -> str | None:
        """Writes the data set; returns why it cannot be, or None."""
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
            return f"none of {len(played)} episodes has a return of {least:.2f}, as min_score {plan.min_score} asks for"
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
        """Moves the episodes to their places; where an earlier attempt was killed, those that are left."""
        (data / "metadata.json").unlink(missing_ok=True)
        for index, record in enumerate(kept):
            folder = data / str(index)
            folder.mkdir(parents=True, exist_ok=True)
            if not (folder / "part-0.arrow").exists():
                self.plan.arrow(record["seed"]).rename(folder / "part-0.arrow")
            entries = {"total_steps": record["length"], **{key: record[key] for key in ("seed", "return", "success")}}
            (folder / "metadata.json").write_text(episode_metadata(index, **entries))


def best_windowed_mean(returns: np.ndarray) -> float:
    """The expert's return in Gato's filter: the best mean of `min(1000, 0.1 N)` consecutive ones of N returns; one at least."""
    window = max(1, min(1000, len(returns) // 10))
    sums = np.cumsum([0.0, *returns])
    return float((sums[window:] - sums[:-window]).max() / window)


def statistics(returns: np.ndarray) -> dict[str, float]:
    """Mean, standard deviation, extremes and number of some returns."""
    pieces = {"mean": returns.mean(), "std": returns.std(), "min": returns.min(), "max": returns.max()}
    return {**{name: float(value) for name, value in pieces.items()}, "episodes": len(returns)}


def success_rate(records: Iterable[dict[str, Any]]) -> float | None:
    """The share of successes, where a failed episode is none; None where the task knows no success."""
    successes = [record.get("success", False) for record in records]
    return None if None in successes else float(np.mean(successes))


# The task that this process has open: its environment is used for many blocks, and closed when another task comes.
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
