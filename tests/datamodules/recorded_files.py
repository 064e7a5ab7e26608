"""Recorded episodes in the layouts of other projects, as small as the tests need them."""

from pathlib import Path

import numpy as np

from tests.datamodules.vision_files import photograph


def movie(seed: int, steps: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Smooth pictures that differ from step to step: uint8 (steps, height, width, 3)."""
    first = np.asarray(photograph(seed, width, height))
    return np.stack([np.roll(first, 3 * t, axis=1) for t in range(steps)])


def write_npz(folder: Path, episodes: int = 6, steps: int = 4) -> Path:
    (folder / "episodes").mkdir(parents=True)
    for seed in range(episodes):
        rng = np.random.default_rng(seed)
        np.savez(
            folder / "episodes" / f"{seed}.npz",
            image=movie(seed, steps),
            state=rng.normal(size=(steps, 2)),
            action=rng.normal(size=(steps, 2)),
            reward=np.ones(steps),
        )
    return folder / "episodes"


# By the name of a stanza of docs/own_data.md: writes the data that it reads.
WRITERS = {"my-episodes": write_npz}
