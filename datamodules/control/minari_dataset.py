"""Any Minari data set as a task; its environment is made from the data set's own metadata."""

import contextlib
import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import minari
import numpy as np
from gymnasium import Space, spaces
from minari.dataset.minari_storage import METADATA_FILE_NAME, MinariStorage
from minari.storage import get_dataset_path

from datamodules.base.task import Job
from datamodules.control.column_ranges import ActionScaling, ColumnRange, lacks_bounds, measure_space, with_bounds
from datamodules.control.recorded_task import RecordedTask
from datamodules.control.trajectory import random_return
from gato_lightning.common.settings import FiniteFloat, PositiveFloat, PositiveInt
from gato_lightning.errors import UserError, unknown
from gato_lightning.sequences.tasks import MAX_EPISODE_STEPS, Reference
from gato_lightning.tokens.episode import Episode, is_text, map_space, plain_space, space_of_parts


class MinariDataModule(RecordedTask):
    """Recorded episodes of a Minari data set.

    The expert's and the random return are the data set's `ref_max_score` and `ref_min_score`. If these are missing, they are
    the mean return of its episodes and of random play in its environment.

    Args:
        dataset_id: a folder, or the name of a data set in Minari's own folder (`MINARI_DATASETS_PATH`).
        download: whether a missing data set is downloaded.
        val_episodes: number of episodes held out for the validation loss, 1 or more, evenly spaced in the data set.
        min_score: episodes with a lower normalised score are left out; null keeps all.
        rollouts: whether the environment is made and played; if false, only the episodes are needed.
        reference_episodes: number of episodes of random play if the data set has no `ref_min_score`, 1 or more.
        scaling: how bounds of actions are found from the episodes if the data set gives none.
        timesteps: maximum number of timesteps in a window, in training and acting, 1 or more; None: as many as fit.
        time_limit: maximum seconds per episode of random play, above 0.
        max_episode_steps: number of steps after which an unfinished episode of random play, or of a rollout, is cut; 1 or
            more.

    Raises:
        UserError: if there is no such data set, it cannot be read, or its spaces differ from those of its environment.
    """

    def __init__(
        self,
        dataset_id: str,
        download: bool = False,
        val_episodes: PositiveInt = 10,
        min_score: FiniteFloat | None = None,
        rollouts: bool = True,
        reference_episodes: PositiveInt = 200,
        scaling: ActionScaling = ActionScaling(),
        timesteps: PositiveInt | None = 1,
        time_limit: PositiveFloat = 300.0,
        max_episode_steps: PositiveInt = MAX_EPISODE_STEPS,
    ) -> None:
        super().__init__(
            val_episodes=val_episodes,
            min_score=min_score,
            reference_episodes=reference_episodes,
            scaling=scaling,
            timesteps=timesteps,
            time_limit=time_limit,
            max_episode_steps=max_episode_steps,
        )
        self.dataset_id = dataset_id
        self.data = open_dataset(dataset_id, download)
        if self.data.total_episodes < 2:
            raise UserError(f"data set {dataset_id}: {self.data.total_episodes} episodes, expected at least 2")
        self.meta = MinariStorage.read_raw_metadata(self.data.storage.data_path)
        self.domain = self.meta.get("domain", "minari")
        episodes = int(self.meta.get("num_episodes_average_score", 0))
        told = {"expert": "ref_max_score", "random": "ref_min_score"}
        self.known = {name: Reference(float(self.meta[key]), episodes) for name, key in told.items() if key in self.meta}
        self.observation_space, self.action_space = self.data.observation_space, self.data.action_space
        self.playable = rollouts and self.data.env_spec is not None
        if min_score is not None and not self.playable and "random" not in self.known:
            raise UserError(
                f"data set {dataset_id}: min_score needs a random return; neither its metadata nor an environment gives one"
            )
        if self.playable:
            self._check_spaces()

    def make_env(self, render_mode: str | None = None) -> gymnasium.Env:
        """Makes the environment in which the data set was recorded."""
        assert self.data.env_spec is not None
        try:
            return gymnasium.make(self.data.env_spec, render_mode=render_mode, disable_env_checker=True)
        except Exception as error:  # the environment's constructor or an import may raise any type
            raise UserError(
                f"data set {self.dataset_id}: its environment {self.data.env_spec.id} cannot be made ({error}); "
                "rollouts: false trains without it"
            ) from error

    def settings(self) -> dict[str, Any]:
        """Returns the arguments, and a hash that changes with the data set."""
        metadata = Path(self.data.storage.data_path, METADATA_FILE_NAME).read_bytes()
        return {**super().settings(), "metadata": hashlib.sha256(metadata).hexdigest()}

    @property
    def num_episodes(self) -> int:
        return int(self.data.total_episodes)

    def episodes(self, numbers: np.ndarray) -> Job:
        return partial(self._read, numbers)

    def returns(self, numbers: range) -> list[float]:
        return [float(np.sum(episode.rewards)) for episode in self.data.iterate_episodes(numbers)]

    def measure_columns(self) -> dict[str, ColumnRange]:
        """Returns the ranges of actions for which the data set gives no bounds."""
        if not lacks_bounds(self.data.action_space):
            return {}
        columns = [episode.actions for episode in self.data.iterate_episodes()]
        return measure_space(self.data.action_space, columns, self.scaling, "action")

    def set_spaces(self) -> None:
        self.action_space = with_bounds(self.data.action_space, self.ranges, "action")

    def random_return(self, seed: int) -> float:
        """Returns the return of an episode of random actions, drawn from the data set's own action space."""
        return random_return(self.blind_env, self.data.action_space, seed, self.is_cut)

    def _read(self, indices: np.ndarray) -> Iterator[Episode]:
        for episode in self.data.iterate_episodes(indices):
            yield Episode(
                observations=_acted_on(self.observation_space, episode.observations),
                actions=episode.actions,
                rewards=np.asarray(episode.rewards, np.float32),
                source=self.dataset_id,
            )

    def _check_spaces(self) -> None:
        with contextlib.closing(self.make_env()) as env:
            for name in ("observation_space", "action_space"):
                recorded, real = getattr(self.data, name), plain_space(getattr(env, name))
                if not _alike(recorded, real):
                    raise UserError(
                        f"data set {self.dataset_id}: its {name} is {_short(recorded)}, its environment's is {_short(real)}"
                    )


def open_dataset(dataset_id: str, download: bool = False) -> minari.MinariDataset:
    """Opens a data set.

    Args:
        dataset_id: a folder, or a name in Minari's own folder.
        download: whether a missing data set is downloaded.

    Raises:
        UserError: if it is missing (names the nearest local matches), or cannot be read.
    """
    folder = Path(dataset_id) if Path(dataset_id, "data").is_dir() else get_dataset_path(dataset_id)
    try:
        if not folder.is_dir() and download:
            minari.download_dataset(dataset_id)
        if not folder.is_dir():
            raise unknown("Minari data set", dataset_id, minari.list_local_datasets())
        return minari.MinariDataset(folder / "data")
    except UserError:
        raise
    except Exception as error:  # many types: malformed names and files, formats without their library, the network
        raise UserError(f"data set {dataset_id}: cannot be read ({error})") from error


def _acted_on(space: Space, observations: Any) -> Any:
    """Returns the observations without the last one, which is followed by no action."""
    return map_space(lambda leaf, path, column: column[:-1], space, observations)


def _alike(recorded: Space, real: Space) -> bool:
    """Returns whether two spaces have the same values; the length and characters of texts are ignored."""

    def any_text(leaf: Space, path: tuple[Any, ...]) -> Space:
        return spaces.Text(1) if is_text(leaf) else leaf

    first, second = (map_space(any_text, space, nest=space_of_parts) for space in (recorded, real))
    return first == second


def _short(space: Space) -> str:
    text = " ".join(str(space).split())
    return text if len(text) < 120 else f"{text[:120]}..."
