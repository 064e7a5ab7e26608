"""Reads examples for text generation back from a store: the observations and the reference texts."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.tasks import GenerationTask
from gato_lightning.tokens.episode import is_text
from gato_lightning.tokens.patches import from_patches
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Kind


class StoredObservations(Sequence[dict[str, Any]]):
    """A sequence of observations that are read from a store on access.

    Args:
        store: a store whose timesteps hold one image and at most one text.
        timesteps: indices of the timesteps.
        space: the space of the observations, a Dict.
        text: the text tokenizer.
    """

    def __init__(self, store: EpisodeStore, timesteps: Sequence[int], space: spaces.Dict, text: TextTokenizer) -> None:
        self._store, self._timesteps, self._space, self._text = store, timesteps, space, text

    def __len__(self) -> int:
        return len(self._timesteps)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        timestep = self._timesteps[index]
        return {
            key: self._read_text(timestep) if is_text(space) else self._read_image(timestep, space)
            for key, space in self._space.spaces.items()
        }

    def _read_text(self, timestep: int) -> str:
        store = self._store
        ids = store.ids[store.first_slot[timestep] : store.first_slot[timestep + 1]]
        kinds = np.array(store.layouts[store.layout[timestep]].kinds)
        return self._text.decode(ids[kinds == Kind.TEXT].tolist())

    def _read_image(self, timestep: int, space: Any) -> np.ndarray:
        store = self._store
        rows = store.patch_index[store.first_patch[timestep] : store.first_patch[timestep + 1]]
        image = from_patches(store.patches[rows], *store.layouts[store.layout[timestep]].grids[0])
        # For images of one size, the padding to whole patches is removed.
        return image[: space.shape[0], : space.shape[1]] if space.shape else image


def held_out_task(
    store: EpisodeStore,
    kind: Literal["caption", "answer"],
    space: spaces.Dict,
    text: TextTokenizer,
    baseline: dict[str, str] | None = None,
) -> GenerationTask:
    """Returns the marked examples of a store as a generation task.

    Args:
        store: the store of the held-out split.
        kind: what the texts are.
        space: the space of the observations.
        text: the text tokenizer.
        baseline: the most common training answer of each group, if there are groups.
    """
    examples = store.examples
    return GenerationTask(
        kind=kind,
        observations=StoredObservations(store, list(examples), space, text),
        references=[one.references for one in examples.values()],
        groups=[one.group for one in examples.values()],
        baseline=baseline or {},
    )


def training_task(store: EpisodeStore, space: spaces.Dict, text: TextTokenizer) -> GenerationTask:
    """Returns all images of a store as a captioning task; the references of an image are all its captions in the store.

    Args:
        store: the store of the training split, with one image and its caption per timestep.
        space: the space of the observations.
        text: the text tokenizer.
    """
    beside: dict[bytes, list[int]] = defaultdict(list)  # timesteps by image: equal patches are stored once
    for timestep in range(store.num_timesteps):
        rows = store.patch_index[store.first_patch[timestep] : store.first_patch[timestep + 1]]
        beside[np.asarray(rows).tobytes()].append(timestep)
    return GenerationTask(
        kind="caption",
        observations=StoredObservations(store, [timesteps[0] for timesteps in beside.values()], space, text),
        references=[[_action(store, timestep, text) for timestep in timesteps] for timesteps in beside.values()],
        groups=[""] * len(beside),
    )


def _action(store: EpisodeStore, timestep: int, text: TextTokenizer) -> str:
    ids = store.ids[store.first_slot[timestep] : store.first_slot[timestep + 1]]
    kinds = np.array(store.layouts[store.layout[timestep]].kinds)
    return text.decode(ids[kinds == Kind.ACTION_TEXT][:-1].tolist())  # without the end of text
