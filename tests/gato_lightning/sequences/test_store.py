"""Stores: what is written comes back, shared patches are kept once, and nothing half-written is read."""

import resource
import shutil

import numpy as np
import pytest

from gato_lightning.errors import UserError
from gato_lightning.sequences import store as store_module
from gato_lightning.sequences.store import EpisodeStore, write_store
from tests.gato_lightning.conftest import random_episodes


def test_round_trip(store, image_tokenizer):
    episodes = random_episodes(image_tokenizer, [5, 1, 9, 3])
    np.testing.assert_array_equal(store.ids, np.concatenate([one.timesteps.ids for one in episodes]))
    patches = np.concatenate([one.timesteps.patches[one.timesteps.patch_index] for one in episodes])
    np.testing.assert_array_equal(store.patches[store.patch_index], patches)
    assert store.first_timestep.tolist() == [0, 5, 6, 15, 18]
    assert store.returns.tolist() == [0.0, 1.0, 18.0, 9.0]


def test_a_shared_patch_is_stored_once(store):
    assert len(store.patch_index) == 18 * 4
    assert len(store.patches) == 18 * 3 + 1


def test_a_thousand_stores_are_open_under_1024_descriptors(store):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, hard), hard))
    try:
        stores = [EpisodeStore(store.folder) for _ in range(1000)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert all(np.array_equal(one.ids, store.ids) for one in stores)


def test_a_mapped_store_is_read_only_and_outlives_its_folder(store):
    ids = store.ids.copy()
    shutil.rmtree(store.folder)
    np.testing.assert_array_equal(store.ids, ids)
    with pytest.raises(ValueError, match="read-only"):
        store.ids[0] = 1


def test_a_store_that_was_cut_short_is_refused(store):
    path = store.folder / "ids.npy"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(UserError, match="cannot be read"):
        EpisodeStore(store.folder)


def test_a_failed_write_leaves_nothing(tmp_path, image_tokenizer, monkeypatch):
    def full_disk(*_args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(store_module.np, "save", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_store(tmp_path / "s", random_episodes(image_tokenizer, [2]), {})
    assert list(tmp_path.iterdir()) == []


def test_a_finished_store_is_not_replaced(tmp_path, image_tokenizer):
    write_store(tmp_path / "s", random_episodes(image_tokenizer, [2]), {"by": "first"})
    write_store(tmp_path / "s", random_episodes(image_tokenizer, [3]), {"by": "second"})
    assert EpisodeStore(tmp_path / "s").meta["by"] == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_what_is_no_store_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        EpisodeStore(tmp_path)
