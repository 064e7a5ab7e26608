"""Data that some tests need and that this repository does not hold."""

import os
from pathlib import Path

import pytest

FLICKR = "GATO_FLICKR8K_MINI"


@pytest.fixture(scope="session")
def flickr8k_mini() -> Path:
    """The folder of 400 photographs with captions; the environment variable names it, or it lies beside the project."""
    beside = [parent / "shared" / "data" / "flickr8k-mini" for parent in Path(__file__).resolve().parents]
    named = [Path(os.environ[FLICKR])] if FLICKR in os.environ else []
    found = next((folder for folder in (*named, *beside) if (folder / "captions_train.json").is_file()), None)
    if found is None:
        pytest.skip(f"flickr8k-mini is not here: set {FLICKR} to its folder")
    return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory) -> Path:
    """A data cache that tests of the same tasks share."""
    return tmp_path_factory.mktemp("cache")
