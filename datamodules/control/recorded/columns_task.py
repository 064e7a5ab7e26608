"""The base of the readers: recorded episodes as columns by key, of which some are observations and some actions.

A reader lists its `recordings` and reads one of them as columns. What the keys mean, which spaces follow, images, timesteps
that are left out, held-out episodes and faults are the same for all formats, and are here.
"""

import contextlib
import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from functools import partial
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import Space, spaces
from lightning.pytorch.utilities import rank_zero_info

from datamodules.base.faults import Fault
from datamodules.base.task import Job
from datamodules.control.column_ranges import ActionScaling, ColumnRange, lacks_bounds, measure
from datamodules.control.recorded import columns as of
from datamodules.control.recorded.columns import Sort
from datamodules.control.recorded.recording import Recording
from datamodules.control.recorded.schema import Column, Part, Schema, check_there, is_single, whole
from datamodules.control.recorded_task import RecordedTask
from datamodules.readers.files import fingerprint
from gato_lightning.common.settings import PositiveInt, ShareBelowOne
from gato_lightning.errors import UserError, said, unknown
from gato_lightning.sequences.store import TokenEpisode
from gato_lightning.tokens.episode import Episode, map_space
from gato_lightning.tokens.image_files import ImageSettings

_TRIED = 16  # episodes that are looked at to find one that tells what the columns are
_PREFIX = re.compile(r"^(steps[./])?(observations?|obs)[./]")


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
    episodes_per_job: ClassVar[int] = 16  # whose images may be in memory at once
    action_keys: ClassVar[tuple[str, ...]] = ("action", "actions")
    reward_keys: ClassVar[tuple[str, ...]] = ("reward", "rewards", "next.reward")
    success_keys: ClassVar[tuple[str, ...]] = ("success", "is_success", "next.success")
    # Neither observed nor acted, unless a setting names them.
    bookkeeping: ClassVar[frozenset[str]] = frozenset(
        """
        done dones terminal terminals timeout timeouts terminated truncated terminations truncations is_first is_last
        is_terminal discount next.done timestamp timestamps frame_index episode episode_id episode_index task_index index
        fps seed
        """.split()  # noqa: SIM905  (a list would take a line for each)
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
        """Chooses the keys from the columns of an episode.

        Raises:
            UserError: if there is no such key.
        """
        actions = self._actions or of.first_of(self.action_keys, found) or self._parts_of_actions(found)
        if not actions:
            raise UserError(f"no column {' or '.join(self.action_keys)}; set `actions` to one of {', '.join(sorted(found))}")
        acted = [actions] if isinstance(actions, str) else list(actions.values())
        for key in [*acted, *([self._rewards] if self._rewards else [])]:
            if key not in found:
                raise unknown("column", key, found)
        steps = len(of.as_column(found[acted[0]], acted[0]))
        reward = self._rewards or of.first_of(self.reward_keys, found)
        success = of.first_of(self.success_keys, found)
        observations = self._observations or self._observable(found, {*acted, reward}, steps)
        self.schema = Schema.of(found, observations, actions, reward, success, steps)

    def _parts_of_actions(self, found: Mapping[str, Any]) -> dict[str, str]:
        """`action/arm` and the like, by what follows."""
        pattern = re.compile(rf"({'|'.join(map(re.escape, self.action_keys))})[./](.+)")
        return {match[2]: key for key in found if (match := pattern.fullmatch(key))}

    def _observable(self, found: Mapping[str, Any], used: Set[str | None], steps: int) -> str | dict[str, str | list[str]]:
        """Returns the keys that are observed if the settings name none."""
        passed = {*self.action_keys, *used, *self.reward_keys, *self.success_keys, *self.bookkeeping}
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
            parts: dict[Part, Space] = {"observation": env.observation_space, "action": env.action_space}
            for part, space in parts.items():
                recorded, real = self.schema.shapes(part, self.images), map_space(lambda leaf, path: leaf.shape, space)
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

    def measure_columns(self) -> dict[str, ColumnRange]:
        needed = [column for column in self.schema.columns.values() if of.needs_range(column.sort, column.is_action)]
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
        found = self.schema.columns[column]
        return found.is_action and found.sort is Sort.REAL and not self.playable

    def _numbers(self, recording: Recording, keys: Collection[str]) -> dict[str, np.ndarray]:
        found = self.read(recording, keys)
        check_there(found, keys)
        columns = {key: np.atleast_1d(of.as_column(found[key], key)) for key in keys}
        for key, column in columns.items():
            of.check_numbers(column, self.schema.columns[key].shape, key)
        return columns

    def set_spaces(self) -> None:
        self.observation_space = self.schema.space("observation", self.ranges, self.images)
        if not self.playable:
            self.action_space = self.schema.space("action", self.ranges, self.images)
        rank_zero_info(f"{self.source}: {self.num_episodes} episodes; {self.schema}")

    def episodes(self, numbers: np.ndarray) -> Job:
        return partial(self._episodes, [self.recordings[number] for number in numbers])

    def returns(self, numbers: range) -> list[float]:
        totals = []
        for recording in (self.recordings[number] for number in numbers):
            try:
                found = self.read(recording, [*self.schema.return_keys, self.schema.timed_by])
                steps = len(of.as_column(found[self.schema.timed_by], self.schema.timed_by))
                totals.append(float(self._rewards_of(found, steps).sum()))
            except (UserError, KeyError):  # counted and told when it is read as a whole
                continue
        return totals

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
        found = self.read(recording, self.schema.keys)
        check_there(found, self.schema.columns)
        steps = len(of.as_column(found[self.schema.timed_by], self.schema.timed_by))
        if not steps:
            raise UserError("no timesteps")
        read = {key: self._column(column, found[key], steps) for key, column in self.schema.columns.items()}
        rewards = np.add.reduceat(self._rewards_of(found, steps), np.arange(0, steps, self.every))

        observations, actions = (self.schema.fill(part, read.__getitem__) for part in self.schema.trees)
        return Episode(observations, actions, rewards.astype(np.float32), source=self.source_of(recording))

    def _column(self, column: Column, values: Any, steps: int) -> Any:
        """The values of a column at the timesteps that are kept."""
        key = column.key
        values = of.as_column(whole(values, steps), key)
        # Behind the last action there may be an observation more.
        if len(values) != steps and (column.is_action or len(values) != steps + 1):
            raise UserError(f"column {key}: {len(values)} values, expected {steps} as in column {self.schema.timed_by}")
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
        key = self.schema.reward or self.schema.success
        if key is None or (key not in found and not self.schema.reward):
            return rewards
        check_there(found, [key])
        told = np.asarray(of.as_column(whole(found[key], steps), key), np.float64).reshape(-1)
        if self.schema.reward is None:
            rewards[-1] = float(told.any())
            return rewards
        if len(told) not in (steps, steps + 1):
            raise UserError(f"column {key}: {len(told)} values, expected {steps} as in column {self.schema.timed_by}")
        of.check_numbers(told, (), key)
        return told[:steps]


def _fits(values: Any, key: str, steps: int) -> bool:
    """Whether values are something for each timestep, and the last observation perhaps, or a text for the whole episode."""
    if is_single(values) and not isinstance(values, str):
        return False
    try:
        return len(of.as_column(whole(values, steps), key)) in (steps, steps + 1)
    except UserError:
        return False
