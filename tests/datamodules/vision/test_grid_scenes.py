"""Scenes on a grid: how they are drawn and sampled."""

from random import Random

import numpy as np
from minigrid.core.grid import Grid
from minigrid.core.world_object import Key

from datamodules.vision.grid_scenes import CONCEPTS, Thing, object_set, render, sample_scene
from datamodules.vision.vqa import VqaDataModule

SCENE = (
    Thing("red", "ball", row=0, column=0),
    Thing("blue", "key", row=3, column=3),
    Thing("green", "key", row=1, column=2),
)


def test_a_scene_is_drawn_with_minigrids_tiles():
    picture = render([SCENE], grid=4, tile_size=16)[0]
    assert picture.shape == (64, 64, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture[48:, 48:], Grid.render_tile(Key("blue"), tile_size=16).astype(np.uint8))
    np.testing.assert_array_equal(picture[16:32, :16], Grid.render_tile(None, tile_size=16).astype(np.uint8))


def test_sampled_objects_stand_in_different_cells():
    for seed in range(200):
        scene = sample_scene(Random(seed), grid=2, most=4, concepts=CONCEPTS)
        assert 2 <= len({(thing.row, thing.column) for thing in scene}) == len(scene) <= 4


def test_no_set_of_objects_stands_on_both_sides_of_the_split():
    module = VqaDataModule(questions=3000, val_questions=1000)
    train, held_out = ({object_set(scene) for scene, _ in module._all_pairs(split)} for split in ("train", "val"))
    assert not train & held_out
