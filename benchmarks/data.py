"""The data path: from stored token episodes to batches, from values to tokens, and what a store weighs.

Batches are made in one process, with prompts and packing, as `data.loader_workers: 0` makes them; each row is a core's worth.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import torch
from gymnasium import spaces

from benchmarks import work
from benchmarks.harness import Row, interleave
from benchmarks.work import Size
from gato_lightning.sequences.batch import TokenBatch
from gato_lightning.sequences.segments import PromptSettings, SegmentSampler
from gato_lightning.sequences.sequence import SequencePacker, collate
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.vocabulary import Vocabulary

LONG = Size("context 1024", depth=0, width=0, heads=1, context_length=1024, batch_size=8)
EPISODES = 1_000_000  # of the store that is opened


def loading(folder: Path, seconds: float) -> list[Row]:
    """Slots a second of batches of 8 x 1024, for control and for images; and the padding in them."""
    result = []
    for name, space, observe in (
        ("control", work.control_space(), work.control_values),
        ("control, 159 tokens a timestep", spaces.Box(-1, 1, (154,)), lambda rng, steps: rng.uniform(-1, 1, (steps, 154))),
        ("images, all patches distinct", work.image_space(), work.noise_frames),
        ("images, still background", work.image_space(), work.still_frames),
    ):
        store = work.make_store(space, observe, folder / name, episodes=20)
        packer = SequencePacker(
            [SegmentSampler(store, LONG.context_length, PromptSettings())], np.ones(1), LONG.context_length, seed=0
        )
        slots = LONG.batch_size * LONG.context_length
        taken = interleave({"ours": partial(load, packer, itertools.count())}, seconds, clock=time.process_time)["ours"]
        row = Row("Data path", f"batches, {name}", "ours", taken, slots)
        row.extra["padding"] = f"{padding(packer, LONG.context_length):.1%}"
        result.append(row)
    return result


def load(packer: SequencePacker, indices: Iterator[int]) -> TokenBatch:
    """The next batch."""
    return collate([packer(next(indices)) for _ in range(LONG.batch_size)], LONG.context_length, Vocabulary())


def padding(packer: SequencePacker, context_length: int, sequences: int = 64) -> float:
    """Share of empty slots."""
    used = sum(len(part.ids) for index in range(sequences) for part in packer(index))
    return 1.0 - used / (sequences * context_length)


def tokenising(seconds: float) -> Row:
    """Values a second of episodes of 39 observed and 4 acted numbers."""
    steps, tokens = 2000, work.tokenizer(work.control_space())
    rng = np.random.default_rng(0)
    values = work.control_values(rng, steps).astype(np.float32)
    actions = rng.uniform(-1, 1, (steps, 4)).astype(np.float32)
    episode = Episode(values, actions, np.zeros(steps, np.float32), "made up")
    taken = interleave({"ours": lambda: tokens.encode_episode(episode)}, seconds, clock=time.process_time)["ours"]
    return Row("Data path", "tokenising continuous values", "ours", taken, steps * 43)


def weight(folder: Path) -> list[Row]:
    """Bytes of the stores that `loading` made, over two bytes a token and 768 a distinct patch."""
    result = []
    for path in sorted(folder.iterdir()):
        store = EpisodeStore(path)
        information = 2 * (store.num_slots - len(store.patch_index)) + store.patches.nbytes
        stored = sum(file.stat().st_size for file in path.iterdir())
        row = Row("Data path", f"store, {path.name}: bytes over information", "ours")
        row.extra["ratio"] = f"{stored / information:.2f}"
        result.append(row)
    return result


def opening(folder: Path) -> Row:
    """Opening a store of a million episodes of one timestep, and drawing one segment of it."""
    small = work.make_store(work.control_space(), work.control_values, folder / "small", episodes=1, steps=1)
    path = folder / "million"
    path.mkdir()
    counts = np.arange(EPISODES + 1)
    arrays = {
        "ids": np.tile(small.ids, EPISODES),
        "first_slot": counts * work.TOKENS,
        "layout": np.zeros(EPISODES, np.uint16),
        "first_patch": np.zeros(EPISODES + 1, np.int64),
        "patch_index": np.empty(0, np.int32),
        "patches": small.patches,
        "first_timestep": counts,
        "returns": np.zeros(EPISODES, np.float32),
        "source": np.zeros(EPISODES, np.int32),
    }
    for name, array in arrays.items():
        np.save(path / f"{name}.npy", array)
    (path / "meta.json").write_text((small.folder / "meta.json").read_text())
    taken, grown = [], []
    for _ in range(5):
        before, begin = _resident(), time.perf_counter()
        store = EpisodeStore(path)
        taken.append(time.perf_counter() - begin)
        grown.append(_resident() - before)
        begin = time.perf_counter()
        sampler = SegmentSampler(store, 1024, PromptSettings())
        ready = time.perf_counter() - begin
        held = _resident() - before
        del store, sampler
    row = Row("Data path", "opening a store of a million episodes", "ours", taken)
    row.extra |= {"MB": f"{statistics.median(grown) / 1e6:.1f}", "sampler s": f"{ready:.2f}", "sampler MB": f"{held / 1e6:.0f}"}
    return row


def run(full: bool) -> list[Row]:
    """Everything, on one thread."""
    torch.set_num_threads(1)
    seconds = 2.0 if full else 0.5
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as other:
        return [*loading(Path(folder), seconds), tokenising(seconds), *weight(Path(folder)), opening(Path(other))]


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
