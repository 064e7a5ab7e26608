"""The base of the readers: recorded episodes as columns by key, of which some are observations and some actions.

A reader lists its `recordings` and reads one of them as columns. What the keys mean, which spaces follow, images, timesteps
that are left out, held-out episodes and faults are the same for all formats, and are here.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import Space, spaces
from lightning.pytorch.utilities import rank_zero_info

from datamodules.base.faults import Fault
from datamodules.base.task import Job, Split
from datamodules.control.column_ranges import ActionScaling, ColumnRange, lacks_bounds, measure
from datamodules.control.recorded import columns as of
from datamodules.control.recorded.columns import Sort
from datamodules.control.recorded_task import RecordedTask
from datamodules.readers.files import fingerprint
from gato_lightning.common.settings import PositiveInt, ShareBelowOne
from gato_lightning.errors import UserError, said, unknown
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.tokens.episode import Episode, map_space
from gato_lightning.tokens.image_files import ImageSettings

_EPISODES_PER_JOB = 16
_VALIDATION = ("val", "valid", "validation")
_TRIED = 16  # episodes that are looked at to find one that tells what the columns are
_PREFIX = re.compile(r"^(steps[./])?(observations?|obs)[./]")


@dataclass(frozen=True)
class Recording:
    """Where an episode lies.

    Args:
        file: whose change changes the episode; episodes of one file are read one after another.
        name: of the episode in its file, for messages; "" where it is the whole file.
        where: what its reader needs to find it.
        split: to which its data set assigns it; None: it assigns none.
    """

    file: Path
    name: str = ""
    where: Any = None
    split: Split | None = None

    def __str__(self) -> str:
        return f"{self.file}, {self.name}" if self.name else str(self.file)


@dataclass(frozen=True)
class Column:
    """What was found of a column that is observed or acted.

    Args:
        key: of the data.
        sort: what its values are.
        shape: of a value; () of texts and images.
        is_action: whether it is part of the action.
    """

    key: str
    sort: Sort
    shape: tuple[int, ...]
    is_action: bool


class ColumnsTask(RecordedTask):
    """Recorded episodes as columns by key.

    Args:
        observations: by the name in the task, the key of the data; a list of keys is a tuple in their order, as of several
            cameras. One key alone is observed by itself, without a name. None: all keys but those of actions, rewards and
            bookkeeping.
        actions: the key of the actions, or several by name; None: the key that the format has for them.
        rewards: the key of the rewards; None: the key that the format has for them. Without any, an episode that succeeded,
            where the data tell it, has the return 1.
        images: how images are resized, and what is refused.
        every: of so many timesteps one is kept, 1 or more; rewards between are summed up.
        max_faults: share of all episodes that may be faulty, in [0, 1); they are left out and listed, more end the run.
        sequences_per_part: streams the training part: each DataLoader worker draws so many sequences, 1 or more, from one part
            of 16 episodes before it reads the next; None stores all before training.
        kwargs: of `RecordedTask`.

    Raises:
        UserError: there are no such data, or no such key in them.
    """

    unit: ClassVar[str] = "episodes"
    action_keys: ClassVar[tuple[str, ...]] = ("action", "actions")
    reward_keys: ClassVar[tuple[str, ...]] = ("reward", "rewards", "next.reward")
    success_keys: ClassVar[tuple[str, ...]] = ("success", "is_success", "next.success")
    # Neither observed nor acted, unless a setting names them.
    bookkeeping: ClassVar[tuple[str, ...]] = (
        *("done", "dones", "terminal", "terminals", "timeout", "timeouts", "terminated", "truncated", "terminations"),
        *(
            "truncations",
            "is_first",
            "is_last",
            "is_terminal",
            "discount",
            "next.done",
            "timestamp",
            "timestamps",
            "frame_index",
        ),
        *("episode", "episode_id", "episode_index", "task_index", "index", "fps", "seed"),
    )

    def __init__(
        self,
        observations: str | dict[str, str | list[str]] | None = None,
        actions: str | dict[str, str] | None = None,
        rewards: str | None = None,
        images: ImageSettings = ImageSettings(),
        every: PositiveInt = 1,
        max_faults: ShareBelowOne = 0.05,
        sequences_per_part: PositiveInt | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.images, self.every, self.max_faults = images, every, max_faults
        self.sequences_per_part = sequences_per_part
        self._observations, self._actions, self._rewards = observations, actions, rewards

    def read(self, recording: Recording, keys: Collection[str] | None) -> Mapping[str, Any]:
        """The columns of an episode by key, as `as_column` takes them; those of other keys may be there too.

        A text or a number instead of a column holds for the whole episode.

        Args:
            recording: the episode.
            keys: what is wanted; None: all.

        Raises:
            UserError: it cannot be read; names what is wrong with it.
        """
        raise NotImplementedError

    def fingerprints(self) -> list[Any]:
        """What changes when the data do, as JSON; by default of the episodes' files."""
        return [fingerprint(file) for file in dict.fromkeys(recording.file for recording in self.recordings)]

    def describe(self, recordings: Sequence[Recording], source: str) -> None:
        """Finds out from the first episode that can be read what the columns are.

        Args:
            recordings: all episodes.
            source: of the data, for messages.

        Raises:
            UserError: fewer than two episodes, none that can be read, or no such key.
        """
        self.recordings, self.source = recordings, source
        if len(recordings) < 2:
            raise UserError(f"{source}: {len(recordings)} episodes, expected at least 2")
        faults = []
        for recording in recordings[:_TRIED]:
            try:
                self._choose(self.read(recording, None))
                return
            except UserError as error:
                faults.append(f"{recording}: {error}")
        raise UserError(faults[0])

    def _choose(self, found: Mapping[str, Any]) -> None:
        """Chooses the keys and finds out what their values are.

        Raises:
            UserError: a key that there is not.
        """
        actions = self._actions or of.first_of(self.action_keys, found) or self._parts_of_actions(found)
        if not actions:
            raise UserError(f"no column {' or '.join(self.action_keys)}; set `actions` to one of {', '.join(sorted(found))}")
        acted = [actions] if isinstance(actions, str) else list(actions.values())
        self._success_key = of.first_of(self.success_keys, found)
        self._reward_key = self._rewards or of.first_of(self.reward_keys, found)
        for key in [*acted, *([self._rewards] if self._rewards else [])]:
            if key not in found:
                raise unknown("column", key, found)
        steps = len(of.as_column(found[acted[0]], acted[0]))
        observations = self._observations or self._observable(found, acted, steps)
        self._tree = {"observation": _nested(observations), "action": _nested(actions)}
        self.columns: dict[str, Column] = {}
        for part, tree in self._tree.items():
            for key in _keys(tree):
                if key not in found:
                    raise unknown("column", key, found)
                values = of.as_column(_whole(found[key], steps), key)
                column = Column(key, of.sort_of(values), of.shape_of(values), part == "action")
                if column.is_action and column.sort is Sort.IMAGE:
                    raise UserError(f"column {key}: an image cannot be an action")
                self.columns[key] = column
        used = {*self.columns, self._reward_key, self._success_key}
        self._unused = sorted(key for key in found if key not in used)

    def _parts_of_actions(self, found: Mapping[str, Any]) -> dict[str, str]:
        """`action/arm` and the like, by what follows."""
        pattern = re.compile(rf"({'|'.join(map(re.escape, self.action_keys))})[./](.+)")
        return {match[2]: key for key in found if (match := pattern.fullmatch(key))}

    def _observable(self, found: Mapping[str, Any], acted: Sequence[str], steps: int) -> str | dict[str, str | list[str]]:
        """The keys that are observed where none are given."""
        passed = {*self.action_keys, *acted, *self.reward_keys, self._reward_key, *self.success_keys, *self.bookkeeping}
        keys = [key for key in found if key not in passed and self.is_observed(key) and _fits(found[key], key, steps)]
        if not keys:
            raise UserError(f"no column to observe; set `observations`, from {', '.join(sorted(found))}")
        return keys[0] if len(keys) == 1 else {self.name_of(key): key for key in keys}

    def is_observed(self, key: str) -> bool:
        """Whether a key that is no action, reward or bookkeeping is observed unless settings say otherwise."""
        return True

    def name_of(self, key: str) -> str:
        """What a key is called in the task where settings do not say it: `image` for `observation.image` and the like."""
        return _PREFIX.sub("", key)

    def source_of(self, recording: Recording) -> str:
        """Who acted; prompts are drawn from episodes of the same."""
        return self.domain

    def play_in(self, env: gymnasium.Env) -> None:
        """Has the task rolled out in its environment, of which this is one, with the environment's actions.

        Raises:
            UserError: its spaces are not those of the data.
        """
        with contextlib.closing(env):
            for part, space in (("observation", env.observation_space), ("action", env.action_space)):
                recorded, real = self._shapes(self._tree[part]), map_space(lambda leaf, path: leaf.shape, space)
                if recorded != real:
                    raise UserError(f"{self.source}: its {part}s have shape {recorded}, those of its environment {real}")
            if lacks_bounds(env.action_space):
                raise UserError(f"{self.source}: the actions of its environment have no bounds")
            self.action_space = env.action_space
        self.playable = True

    def play_where_it_can_be(self) -> None:
        """Has the task rolled out if its environment can be made and fits; else says why it is not."""
        try:
            self.play_in(self.make_env())
        except Exception as error:  # whatever a foreign constructor, or an import that fails, may raise
            rank_zero_info(f"{self.source}: not rolled out, as its environment cannot be used ({said(error)})")

    def _shapes(self, tree: Any) -> Any:
        if isinstance(tree, dict):
            return {name: self._shapes(one) for name, one in tree.items()}
        if isinstance(tree, tuple):
            return tuple(map(self._shapes, tree))
        column = self.columns[tree]
        return self.images.space().shape if column.sort is Sort.IMAGE else column.shape

    @property
    def num_episodes(self) -> int:
        return len(self.recordings)

    def settings(self) -> dict[str, Any]:
        """The arguments, and what changes when a file does."""
        files = json.dumps(self.fingerprints()).encode()  # of thousands of files, perhaps
        return {**super().settings(), "files": hashlib.sha256(files).hexdigest()}

    def num_examples(self, episodes: Sequence[TokenEpisode]) -> int:
        return len(episodes)

    def allowed_faults(self, count: int) -> float:
        """What may be faulty of the whole data set, all of it perhaps among these episodes, which may be few."""
        return min(1.0, self.max_faults * self.num_episodes / max(1, count))

    def held_out(self) -> np.ndarray:
        splits = [recording.split for recording in self.recordings]
        return np.array([split == "val" for split in splits]) if "val" in splits else super().held_out()

    def jobs(self, split: Split) -> list[Job]:
        """A job for at most 16 episodes."""
        held_out = self.held_out()
        wanted = np.flatnonzero(held_out if split == "val" else ~held_out)
        return [self.episodes(wanted[start : start + _EPISODES_PER_JOB]) for start in range(0, len(wanted), _EPISODES_PER_JOB)]

    def measure_columns(self) -> dict[str, ColumnRange]:
        needed = [column for column in self.columns.values() if of.needs_range(column.sort, column.is_action)]
        if not needed:
            return {}
        values: dict[str, list[np.ndarray]] = {column.key: [] for column in needed}
        for recording in self.recordings:
            try:
                found = self._numbers(recording, values)
            except UserError:  # counted and told when it is read as a whole
                continue
            for key, column in found.items():
                values[key].append(column)
        if not all(values.values()):
            raise UserError(f"{self.source}: no episode can be read")
        # Bounds that settings give are those of actions.
        scaling = {key: self.scaling if self.is_scaled(key) else ActionScaling() for key in values}
        return {key: measure(np.concatenate(parts), scaling[key], f"column {key}") for key, parts in values.items()}

    def is_scaled(self, column: str) -> bool:
        found = self.columns[column]
        return found.is_action and found.sort is Sort.REAL and not self.playable

    def _numbers(self, recording: Recording, keys: Collection[str]) -> dict[str, np.ndarray]:
        found = self.read(recording, keys)
        self._check_there(found, keys)
        columns = {key: np.atleast_1d(of.as_column(found[key], key)) for key in keys}
        for key, column in columns.items():
            of.check_numbers(column, self.columns[key].shape, key)
        return columns

    def set_spaces(self) -> None:
        self.observation_space = self._space("observation")
        if not self.playable:
            self.action_space = self._space("action")
        rank_zero_info(f"{self.source}: {self.told()}")

    def told(self) -> str:
        """What was found, in a line."""
        parts = [f"{self.num_episodes} episodes"]
        for part, tree in self._tree.items():
            named = tree.items() if isinstance(tree, dict) else [("", tree)]
            parts.append(f"{part}: " + ", ".join(f"{name}{' = ' if name else ''}{self._told(tree)}" for name, tree in named))
        parts.append(f"rewards: {self._reward_key or self._success_key or 'none'}")
        parts += [f"not used: {', '.join(self._unused)}"] if self._unused else []
        return "; ".join(parts)

    def _told(self, tree: Any) -> str:
        keys = [self.columns[key] for key in _keys(tree)]
        return ", ".join(f"{one.key} ({one.sort.value}{' ' + str(one.shape) if one.shape else ''})" for one in keys)

    def _space(self, part: str) -> Space:
        def space(tree: Any) -> Space:
            if isinstance(tree, dict):
                return spaces.Dict({name: space(one) for name, one in tree.items()})
            if isinstance(tree, tuple):
                return spaces.Tuple([space(one) for one in tree])
            column = self.columns[tree]
            return of.space_of(column.sort, column.shape, self.ranges.get(tree), column.is_action, self.images)

        return space(self._tree[part])

    def episodes(self, numbers: np.ndarray) -> Job:
        return partial(self._episodes, [self.recordings[number] for number in numbers])

    def returns(self, numbers: range) -> list[float]:
        totals = []
        for recording in (self.recordings[number] for number in numbers):
            keys = [key for key in (self._reward_key, self._success_key, self._timed_by) if key]
            try:
                found = self.read(recording, keys)
                steps = len(of.as_column(found[self._timed_by], self._timed_by))
                totals.append(float(self._rewards_of(found, steps).sum()))
            except (UserError, KeyError):  # counted and told when it is read as a whole
                continue
        return totals

    @property
    def _timed_by(self) -> str:
        """The key of the column that tells how many timesteps an episode has."""
        return _keys(self._tree["action"])[0]

    def _episodes(self, recordings: Sequence[Recording]) -> Iterator[Episode | Fault]:
        for recording in recordings:
            try:
                yield self._episode(recording)
            except UserError as error:
                yield Fault(f"{recording}: {error}")

    def _episode(self, recording: Recording) -> Episode:
        """Reads an episode.

        Raises:
            UserError: what is wrong with it.
        """
        keys = [*self.columns, *(key for key in (self._reward_key, self._success_key) if key)]
        found = self.read(recording, keys)
        self._check_there(found, self.columns)
        steps = len(of.as_column(found[self._timed_by], self._timed_by))
        if not steps:
            raise UserError("no timesteps")
        read = {key: self._column(column, found[key], steps) for key, column in self.columns.items()}
        rewards = np.add.reduceat(self._rewards_of(found, steps), np.arange(0, steps, self.every))

        def filled(tree: Any) -> Any:
            if isinstance(tree, dict):
                return {name: filled(one) for name, one in tree.items()}
            return tuple(map(filled, tree)) if isinstance(tree, tuple) else read[tree]

        observations, actions = (filled(tree) for tree in self._tree.values())
        return Episode(observations, actions, rewards.astype(np.float32), source=self.source_of(recording))

    def _column(self, column: Column, values: Any, steps: int) -> Any:
        """The values of a column at the timesteps that are kept."""
        key = column.key
        values = of.as_column(_whole(values, steps), key)
        # Behind the last action there may be an observation more.
        if len(values) != steps and (column.is_action or len(values) != steps + 1):
            raise UserError(f"column {key}: {len(values)} values, expected {steps} as in column {self._timed_by}")
        if of.sort_of(values) is not column.sort and not {of.sort_of(values), column.sort} <= {Sort.WHOLE, Sort.REAL}:
            raise UserError(f"column {key}: {of.sort_of(values).value}, expected {column.sort.value}")
        kept = values[: steps : self.every]
        if column.sort is Sort.IMAGE:
            shown = of.pictures(kept, self.images, f"of column {key}")
            wanted = -(-steps // self.every)
            if len(shown) != wanted:
                raise UserError(f"column {key}: {len(shown)} images, expected {wanted}")
            return np.stack(shown) if isinstance(self.images.space(), spaces.Box) else shown
        if column.sort is not Sort.TEXT:
            of.check_numbers(kept, column.shape, key, whole=column.sort is Sort.WHOLE)
        return kept

    def _rewards_of(self, found: Mapping[str, Any], steps: int) -> np.ndarray:
        """(steps,) rewards; of an episode without any, 1 at its end if it succeeded."""
        rewards = np.zeros(steps)
        key = self._reward_key or self._success_key
        if key is None or (key not in found and not self._reward_key):
            return rewards
        self._check_there(found, [key])
        told = np.asarray(of.as_column(_whole(found[key], steps), key), np.float64).reshape(-1)
        if self._reward_key is None:
            rewards[-1] = float(told.any())
            return rewards
        if len(told) not in (steps, steps + 1):
            raise UserError(f"column {key}: {len(told)} values, expected {steps} as in column {self._timed_by}")
        of.check_numbers(told, (), key)
        return told[:steps]

    def _check_there(self, found: Mapping[str, Any], keys: Collection[str]) -> None:
        missing = [key for key in keys if key not in found]
        if missing:
            raise UserError(f"column {missing[0]}: missing")


def split_of(name: str, names: Collection[str]) -> Split | None:
    """Whether a split that a data set has under this name is for training or validation; None: for neither.

    Args:
        name: of the split.
        names: of all of them: where none is named after validation, the one named `test` is held out.
    """
    if name in _VALIDATION or (name == "test" and not set(names) & set(_VALIDATION)):
        return "val"
    return None if name == "test" else "train"


def _nested(keys: Any) -> Any:
    """Keys nested as the space is: a name gives a dictionary, a list a tuple."""
    if isinstance(keys, Mapping):
        return {name: _nested(one) for name, one in keys.items()}
    return tuple(keys) if isinstance(keys, list | tuple) else keys


def _keys(tree: Any) -> list[str]:
    if isinstance(tree, str):
        return [tree]
    return [key for one in (tree.values() if isinstance(tree, dict) else tree) for key in _keys(one)]


def _whole(values: Any, steps: int) -> Any:
    """What is one value for the whole episode, as a column."""
    if isinstance(values, str | int | float) or (isinstance(values, np.ndarray) and values.ndim == 0):
        return [values if isinstance(values, str) else np.asarray(values).item()] * steps
    return values


def _fits(values: Any, key: str, steps: int) -> bool:
    """Whether values are something for each timestep, and the last observation perhaps, or a text for the whole episode."""
    if isinstance(values, int | float) or (isinstance(values, np.ndarray) and values.ndim == 0):
        return False
    try:
        return len(of.as_column(_whole(values, steps), key)) in (steps, steps + 1)
    except UserError:
        return False
