"""Nested spaces: mapped, stacked, and put together again."""

import numpy as np
from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st
from minigrid.core.mission import MissionSpace

from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.episode import is_text, map_space, stack

LEAVES = st.sampled_from([spaces.Discrete(3), spaces.Box(-1, 1, (2,)), spaces.Text(5), spaces.MultiBinary(2)])
SPACES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3).map(spaces.Dict),
        st.lists(inner, min_size=1, max_size=3).map(spaces.Tuple),
    ),
    max_leaves=6,
)


@given(SPACES)
def test_mapping_gives_each_leaf_its_own_part_at_its_path(space):
    value = space.sample()

    def part(leaf, path, found):
        expected = value
        for key in path:
            expected = expected[key]
        assert found is expected
        assert found in leaf
        return found

    assert map_space(part, space, value) in space


@given(SPACES)
def test_nesting_can_rebuild_the_space(space):
    def nest(outer, path, parts):
        return spaces.Tuple(parts.values()) if isinstance(outer, spaces.Tuple) else spaces.Dict(parts)

    assert map_space(lambda leaf, path: leaf, space, nest=nest) == space


@given(SPACES)
def test_stacked_values_are_the_values(space):
    values = [space.sample() for _ in range(3)]
    columns = stack(space, values)
    for t, value in enumerate(values):
        map_space(lambda leaf, path, column, one, t=t: np.testing.assert_array_equal(column[t], one), space, columns, value)


def test_strings_and_images_of_any_size_become_lists():
    space = spaces.Dict({"said": spaces.Text(9), "seen": AnyImage()})
    columns = stack(space, [{"said": "a", "seen": np.zeros((1, 2, 3), np.uint8)}] * 2)
    assert columns["said"] == ["a", "a"]
    assert [image.shape for image in columns["seen"]] == [(1, 2, 3)] * 2


def test_missions_are_text_in_all_but_name():
    assert is_text(MissionSpace(lambda: "go to the door"))
    assert not is_text(spaces.Discrete(2))
