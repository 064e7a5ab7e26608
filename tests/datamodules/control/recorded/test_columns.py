"""Columns: what values are, and the space that follows."""

import numpy as np
import pytest
from gymnasium import spaces

from datamodules.control.column_ranges import ActionScaling, measure
from datamodules.control.recorded.columns import Sort, as_column, flattened, needs_range, pictures, shape_of, sort_of, space_of
from gato_lightning.errors import UserError
from gato_lightning.tokens.image_files import ImageSettings
from tests.datamodules.vision_files import photograph

IMAGES = ImageSettings(height=16, width=16)


@pytest.mark.parametrize(
    ("values", "sort", "shape"),
    [
        (["a", "b"], Sort.TEXT, ()),
        (np.array(["a", "b"]), Sort.TEXT, ()),
        ([b"1", b"2"], Sort.IMAGE, ()),
        ([photograph(0)], Sort.IMAGE, ()),
        (np.zeros((4, 20, 30, 3), np.uint8), Sort.IMAGE, ()),
        (np.zeros((4, 3, 20, 30), np.uint8), Sort.IMAGE, ()),
        (np.zeros((4, 20, 30), np.uint8), Sort.IMAGE, ()),
        (np.zeros((4, 8, 8), np.uint8), Sort.WHOLE, (8, 8)),  # a board
        (np.zeros((4, 64), np.uint8), Sort.WHOLE, (64,)),
        ([True, False], Sort.TRUTH, ()),
        ([[1, 2], [3, 4]], Sort.WHOLE, (2,)),
        ([[1, 2.5], [3, 4]], Sort.REAL, (2,)),
        (np.zeros((4, 2, 3)), Sort.REAL, (2, 3)),
    ],
)
def test_values_tell_what_they_are(values, sort, shape):
    column = as_column(values, "x")
    assert (sort_of(column), shape_of(column)) == (sort, shape)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[1, 2], [3]], "column x: values of different lengths"),
        (["a", 1], "column x, timestep 1: int among texts"),
        ([None, None], "column x: values of object"),
        (np.zeros(3, complex), "column x: values of complex128"),
    ],
)
def test_what_has_no_tokens_is_told(values, message):
    with pytest.raises(UserError, match=message):
        as_column(values, "x")


def found(*values: float):
    return measure(np.array(values), ActionScaling(0, 0), "x")


def test_spaces_follow_from_what_was_found():
    assert space_of(Sort.WHOLE, (), found(0, 5), True, IMAGES) == spaces.Discrete(6)
    assert space_of(Sort.WHOLE, (), found(-2, 5), False, IMAGES) == spaces.Discrete(8, start=-2)
    assert space_of(Sort.WHOLE, (2,), found(3, 5), False, IMAGES) == spaces.MultiDiscrete([6, 6])
    assert space_of(Sort.WHOLE, (), found(0, 5000), True, IMAGES) == spaces.Box(0, 5000, (), np.int64)
    assert space_of(Sort.WHOLE, (), found(0, 5000), False, IMAGES) == spaces.Box(-np.inf, np.inf, ())
    assert space_of(Sort.TRUTH, (3,), None, True, IMAGES) == spaces.MultiBinary((3,))
    assert space_of(Sort.REAL, (2,), None, False, IMAGES) == spaces.Box(-np.inf, np.inf, (2,))
    assert space_of(Sort.REAL, (), found(-1, 2), True, IMAGES) == spaces.Box(-1, 2, ())
    assert space_of(Sort.IMAGE, (), None, False, IMAGES) == IMAGES.space()


def test_only_what_depends_on_all_values_is_measured():
    assert needs_range(Sort.WHOLE, False)
    assert needs_range(Sort.REAL, True)
    assert not needs_range(Sort.REAL, False)
    assert not needs_range(Sort.IMAGE, False)


def test_pictures_of_all_forms_are_the_same():
    image = np.asarray(photograph(1, 16, 16))
    forms = [[image], [np.moveaxis(image, 2, 0)], [photograph(1, 16, 16)]]
    for one in forms:
        np.testing.assert_array_equal(pictures(one, IMAGES, "x")[0], image)
    gray = np.full((16, 16), 7, np.uint8)
    for one in (gray, gray[..., None], gray[None]):
        np.testing.assert_array_equal(pictures([one], IMAGES, "x")[0], np.full((16, 16, 3), 7))


def test_nested_keys_become_dotted():
    assert flattened({"a": {"b": 1, "c": {"d": 2}}, "e": 3}) == {"a.b": 1, "a.c.d": 2, "e": 3}
