"""Actions of any Box come back from their tokens and lie in the space; what has no tokens is refused in one line."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gato_lightning.errors import UserError
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TEXT = TextTokenizer()
FIRST = Vocabulary().first_bin
INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool")
FLOATS = ("float16", "float32", "float64")


TWO = spaces.Discrete(2)


def tokenizer(observation: spaces.Space = TWO, action: spaces.Space = TWO) -> TimestepTokenizer:
    return TimestepTokenizer(observation, action, Vocabulary(), TEXT)


def ids_of(box: spaces.Box, actions: np.ndarray) -> np.ndarray:
    """(T, A) action tokens."""
    count = len(actions)
    steps = tokenizer(action=box).encode_episode(Episode(np.zeros(count, int), actions, np.zeros(count), "test"))
    return steps.ids.reshape(count, -1)[:, 2:].astype(np.int64)


def there_and_back(box: spaces.Box, actions: np.ndarray) -> np.ndarray:
    return np.stack(tokenizer(action=box).decode_actions(ids_of(box, actions)))


def some_of(box: spaces.Box, seed: int) -> np.ndarray:
    """Both bounds of a box of whole numbers and 20 values between them; `Box.sample` rounds large ones."""
    drawn = np.random.default_rng(seed).integers(box.low, box.high, (20, *box.shape), box.dtype, endpoint=True)
    return np.concatenate([box.low[None], box.high[None], drawn])


@st.composite
def integer_boxes(draw: st.DrawFn, most: int | None = None) -> spaces.Box:
    """Boxes of whole numbers with any bounds that their dtype holds, and at most so many values."""
    dtype = np.dtype(draw(st.sampled_from(INTEGERS)))
    least, largest = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    bounds = []
    for _ in range(draw(st.integers(1, 3))):
        low = draw(st.integers(least, largest))
        bounds.append((low, draw(st.integers(low, largest if most is None else min(largest, low + most - 1)))))
    low, high = (np.array(side, dtype=dtype) for side in zip(*bounds, strict=True))
    return spaces.Box(low, high, dtype=dtype)


@st.composite
def real_boxes(draw: st.DrawFn) -> spaces.Box:
    """Boxes of real numbers: of any size, without one bound or both, and of a single number."""
    dtype = np.dtype(draw(st.sampled_from(FLOATS)))
    numbers = st.floats(allow_nan=False, allow_infinity=True, width=dtype.itemsize * 8)
    low, high = (np.array(draw(st.lists(numbers, min_size=2, max_size=2)), dtype) for _ in range(2))
    low, high = np.minimum(low, high), np.maximum(low, high)
    assume((low < np.inf).all() and (high > -np.inf).all())
    return spaces.Box(low, high, dtype=dtype)


open_boxes = st.builds(
    lambda dtype, low, high: spaces.Box(low, high, (2,), np.dtype(dtype)),
    st.sampled_from([name for name in (*INTEGERS, *FLOATS) if name[0] in "if"]),
    st.just(-np.inf) | st.integers(-128, 0),
    st.just(np.inf) | st.integers(0, 127),
)
any_box = integer_boxes() | real_boxes() | open_boxes


@settings(deadline=None)
@given(any_box, st.integers(0, 2**32))
def test_every_token_that_an_action_may_take_is_an_action_of_the_space(box, seed):
    one = tokenizer(action=box)
    first, count = one.action_ids.T
    drawn = np.random.default_rng(seed).integers(first, first + count, (20, len(first)))
    ids = np.concatenate([first[None], first[None] + count - 1, drawn])
    for action in one.decode_actions(ids):
        assert action.dtype == box.dtype
        assert box.contains(action), action


@settings(deadline=None)
@given(integer_boxes(most=1024), st.integers(0, 2**32))
def test_whole_numbers_of_up_to_1024_values_come_back(box, seed):
    actions = some_of(box, seed)
    np.testing.assert_array_equal(there_and_back(box, actions), actions)


@settings(deadline=None)
@given(integer_boxes(), st.integers(0, 2**32))
def test_more_whole_numbers_come_back_as_near_as_1024_tokens_can(box, seed):
    actions = some_of(box, seed)
    off = np.abs(there_and_back(box, actions).astype(object) - actions.astype(object))
    values = box.high.astype(object) - box.low.astype(object) + 1
    assert (off <= -(-values // 1024) // 2).all()


@settings(deadline=None)
@given(any_box, st.integers(0, 2**32))
def test_a_decoded_action_has_its_token_again(box, seed):
    first, count = tokenizer(action=box).action_ids.T
    ids = np.random.default_rng(seed).integers(first, first + count, (20, len(first)))
    once = np.stack(tokenizer(action=box).decode_actions(ids))
    again = there_and_back(box, once)
    # Where a dtype holds fewer numbers between the bounds than there are bins, or half of a bin is lost in rounding.
    step = np.spacing(np.maximum(np.abs(once), np.abs(again))) if box.dtype.kind == "f" else 0
    assert (np.abs(again.astype(object) - once.astype(object)) <= step).all()


@pytest.mark.parametrize(
    ("box", "values"),
    [
        (spaces.Box(0, 10, (1,), np.int64), range(11)),
        (spaces.Box(-1, 1, (1,), np.int8), (-1, 0, 1)),
        (spaces.Box(-128, 127, (1,), np.int8), range(-128, 128)),
        (spaces.Box(0, 255, (1,), np.uint8), range(256)),
        (
            spaces.Box(*np.array([[2**64 - 3], [2**64 - 1]], np.uint64), dtype=np.uint64),
            range(2**64 - 3, 2**64),
        ),
        (spaces.Box(5, 5, (1,), np.int32), (5,)),
        (spaces.Box(0, 1, (1,), np.bool_), (False, True)),
        (spaces.Box(0, np.inf, (1,), np.int32), range(1024)),
        (spaces.Box(-np.inf, np.inf, (1,), np.int64), range(-512, 512)),
    ],
)
def test_each_whole_number_has_a_token_of_its_own(box, values):
    actions = np.array([[value] for value in values], box.dtype)
    np.testing.assert_array_equal(there_and_back(box, actions), actions)
    assert len(np.unique(ids_of(box, actions))) == len(actions)


@pytest.mark.parametrize(
    ("low", "high", "least", "most"),
    [
        (2, np.inf, 2, 4),
        (-np.inf, -5, -7, -5),
        (-np.inf, np.inf, -1, 1),
        (2, np.finfo(np.float32).max, 2, 4),
        (3.5, 3.5, 3.5, 3.5),
    ],
)
def test_open_sides_end_where_the_docstring_says(low, high, least, most):
    box = spaces.Box(low, high, (1,), np.float64)
    decoded = there_and_back(box, np.array([[-1e9], [1e9]]))
    np.testing.assert_allclose(decoded.ravel(), [least, most], atol=(most - least) / 2048 + 1e-12)


def test_tokens_of_bounded_real_numbers_are_the_bins_of_the_paper():
    """Scaled to [-1, 1] and cut into 1024 equal bins, whatever the bounds (Gato, section 2.1)."""
    rng = np.random.default_rng(0)
    low, high = rng.uniform(-10, 0, 8).astype(np.float32), rng.uniform(0, 10, 8).astype(np.float32)
    actions = rng.uniform(low - 1, high + 1, (500, 8)).astype(np.float32)
    wide = [side.astype(np.float64) for side in (low, high)]
    share = (np.clip(actions, *wide) - wide[0]) / (wide[1] - wide[0])
    expected = FIRST + np.minimum(((share * 2 - 1 + 1) * 512).astype(int), 1023)
    np.testing.assert_array_equal(ids_of(spaces.Box(low, high), actions), expected)


def test_whole_numbers_of_another_dtype_are_clipped_and_not_wrapped():
    box = spaces.Box(0, 200, (1,), np.uint8)
    actions = np.array([[-1], [3], [300], [2**40]], np.int64)
    np.testing.assert_array_equal(there_and_back(box, actions).ravel(), [0, 3, 200, 200])


PICTURE = spaces.Box(0, 255, (16, 16, 3), np.uint8)
IMAGE_HINT = r"uint8 of shape \(H, W\), \(H, W, 1\) or \(H, W, 3\)"


@pytest.mark.parametrize(
    ("observation", "message"),
    [
        (
            spaces.Box(0, 255, (64, 64, 4), np.uint8),
            rf"observation.cam, a Box of uint8 and shape \(64, 64, 4\), takes 16384.*{IMAGE_HINT}",
        ),
        (
            spaces.Box(0, 255, (3, 64, 64), np.uint8),
            rf"of 12290 tokens is longer than the 512 .*.cam, .* takes 12288; .*{IMAGE_HINT}",
        ),
        (spaces.Box(0, 1, (64, 64, 3), np.float32), rf"observation.cam, a Box of float32 and.*{IMAGE_HINT}"),
        (
            spaces.Box(0, 255, (512, 512, 3), np.uint8),
            "of 1026 tokens .*: observation.cam, .* takes 1024; make the image smaller",
        ),
        (spaces.Box(-1, 1, (0,)), r"observation.cam: a Box of shape \(0,\) holds no values"),
    ],
)
def test_observations_that_cannot_be_tokens_are_named(observation, message):
    with pytest.raises(UserError, match=message) as error:
        tokenizer(spaces.Dict({"cam": observation, "joints": spaces.Box(-1, 1, (2,))}))
    assert "\n" not in str(error.value)


def test_keys_of_mixed_types_and_empty_actions_are_named():
    with pytest.raises(UserError, match=r"observation.arm: keys .* have no order"):
        tokenizer(spaces.Dict({"arm": spaces.Dict({1: spaces.Discrete(2), "a": spaces.Discrete(2)})}))
    with pytest.raises(UserError, match=r"action: a Box of shape \(0,\) holds no values"):
        tokenizer(action=spaces.Box(-1, 1, (0,)))


def test_timesteps_that_can_never_fit_are_refused_before_any_is_made():
    one = tokenizer(spaces.Dict({"x": spaces.Box(-1, 1, (300,)), "y": spaces.Discrete(2)}))
    one.check_context(303)
    with pytest.raises(
        UserError, match=r"of 303 tokens is longer than the context of 302: observation.x, a Box .*, takes 300; leave"
    ):
        one.check_context(302)


@pytest.mark.parametrize(
    ("space", "values", "message"),
    [
        (PICTURE, np.zeros((2, 16, 16, 3)), "observation: images of float64, expected uint8"),
        (PICTURE, np.zeros((2, 16, 16, 3), int), "observation: images of int64, expected uint8"),
        (
            PICTURE,
            np.zeros((2, 16, 16), np.uint8),
            r"observation: values of shape \(16, 16\), expected \(16, 16, 3\)",
        ),
        (
            AnyImage(),
            [np.zeros((0, 0, 3), np.uint8), np.zeros((4, 4), np.uint8)],
            r"timestep 1: uint8 of shape \(4, 4\), expected",
        ),
        (AnyImage(), [np.zeros((4, 4, 3)), np.zeros((4, 4, 3))], "observation, timestep 0: float64 of shape"),
        (spaces.Box(-1, 1, (2,)), np.zeros((2, 3)), r"observation: values of shape \(3,\), expected \(2,\)"),
        (spaces.Box(-1, 1, (2,)), np.zeros((3, 2)), "observation: 3 values, expected one for each of 2 timesteps"),
        (spaces.Discrete(3), np.array([1.0, 1.5]), "observation, timestep 1: value 1.5 is not in"),
        (spaces.Discrete(3), np.array([np.nan, 1.0]), "observation, timestep 0: value nan is not in"),
        (spaces.Text(9), ["a", 3], "observation, timestep 1: a int, expected text"),
        (spaces.Dict({"a": spaces.Discrete(2)}), {"b": np.zeros(2, int)}, "observation.a: missing"),
    ],
)
def test_values_that_are_not_of_their_space_are_named(space, values, message):
    with pytest.raises(UserError, match=message):
        tokenizer(space).encode_observations(values, 2)


def test_real_numbers_are_no_whole_actions():
    with pytest.raises(UserError, match="action: values of float64, expected whole numbers"):
        ids_of(spaces.Box(0, 9, (1,), np.int64), np.array([[0.5]]))


def test_an_episode_without_timesteps_is_refused():
    with pytest.raises(UserError, match="without timesteps"):
        ids_of(spaces.Box(-1, 1, (1,)), np.zeros((0, 1)))
