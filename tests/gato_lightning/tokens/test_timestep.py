"""Timesteps as tokens: order, ranges, round trips, and errors that name the key."""

import numpy as np
import pytest
from gymnasium import spaces
from hypothesis import given, settings
from hypothesis import strategies as st

from gato_lightning.errors import UserError
from gato_lightning.tokens.any_image import AnyImage
from gato_lightning.tokens.episode import Episode, stack
from gato_lightning.tokens.modalities import nearest_text
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

TEXT = TextTokenizer()
VOCABULARY = Vocabulary()


def tokenizer(observation: spaces.Space, action: spaces.Space | None = None, vocabulary: Vocabulary = VOCABULARY):
    return TimestepTokenizer(observation, spaces.Discrete(4) if action is None else action, vocabulary, TEXT)


def episode(observation: spaces.Space, action: spaces.Space, length: int) -> Episode:
    observation.seed(0)
    action.seed(0)
    return Episode(
        stack(observation, [observation.sample() for _ in range(length)]),
        stack(action, [action.sample() for _ in range(length)]),
        np.zeros(length, np.float32),
        "random",
    )


def boxes(draw_low: float = -1.0) -> st.SearchStrategy[spaces.Space]:
    return st.lists(st.integers(1, 3), min_size=0, max_size=2).map(lambda shape: spaces.Box(draw_low, 3.0, shape))


leaf_spaces = st.one_of(
    boxes(),
    st.integers(1, 1024).map(spaces.Discrete),
    st.integers(1, 5).map(lambda n: spaces.Discrete(n, start=-2)),
    st.lists(st.integers(1, 9), min_size=1, max_size=3).map(spaces.MultiDiscrete),
    st.integers(1, 4).map(spaces.MultiBinary),
)
any_space = st.recursive(
    leaf_spaces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: spaces.Tuple(parts)),
        st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(any_space, any_space, st.booleans())
def test_any_nesting_is_tokenised_and_actions_come_back(observation, action, separate):
    vocabulary = Vocabulary(separate_discrete=separate)
    one = tokenizer(observation, action, vocabulary)
    played = episode(observation, action, 3)
    steps = one.encode_episode(played)
    assert len(steps) == 3
    assert steps.ids.max() < vocabulary.size
    ids = steps.ids.reshape(3, -1)[:, -len(one.action_ids) :].astype(np.int64)
    first, count = one.action_ids.T
    assert ((ids >= first) & (ids < first + count)).all()
    # Decoding and encoding again gives the same tokens: a value within half a bin.
    again = Episode(played.observations, stack(action, one.decode_actions(ids)), played.rewards, "again")
    np.testing.assert_array_equal(one.encode_episode(again).ids, steps.ids)


texts = st.builds(
    lambda least, more, charset: spaces.Text(least + more, min_length=least, charset=charset),
    st.integers(0, 3),
    st.integers(1, 9),
    st.sampled_from(["ab", "a bc", "xyz .,!", "äöü€ "]),
)
spoken_actions = st.recursive(
    texts | leaf_spaces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: spaces.Tuple(parts)),
        st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1, max_size=3).map(spaces.Dict),
    ),
    max_leaves=5,
)


@settings(deadline=None, max_examples=60)
@given(spoken_actions, st.integers(0, 2**32))
def test_whatever_tokens_an_action_with_texts_has_it_lies_in_the_space_and_comes_back(action, seed):
    one, rng = tokenizer(spaces.Discrete(2), action), np.random.default_rng(seed)

    def written() -> list[int]:
        ids = []
        for (first, count), kind in zip(one.action_ids.tolist(), one.action_kinds, strict=True):
            repeats = rng.integers(9) if kind == Kind.ACTION_TEXT else 1
            ids += [first + int(rng.integers(3, count)) if count > 3 else first for _ in range(repeats)]
            ids += [one.text.end] if kind == Kind.ACTION_TEXT else []
        return ids

    done = one.decode_actions([written() for _ in range(5)])
    assert all(action.contains(value) for value in done)
    encoded = one.encode_actions(done)
    shown = one.encode_episode(Episode(np.zeros(5, int), stack(action, done), np.zeros(5), "x"))
    np.testing.assert_array_equal(np.concatenate([np.r_[0, VOCABULARY.separator, ids] for ids, _ in encoded]), shown.ids)
    for (ids, kinds), layout in zip(encoded, shown.layout, strict=True):
        assert kinds.tolist() == list(shown.layouts[layout].kinds[2:])
        again = one.encode_actions(one.decode_actions([ids.tolist()]))[0]
        np.testing.assert_array_equal(again[0], ids)


@pytest.mark.parametrize(
    ("space", "text", "expected"),
    [
        (spaces.Text(5, charset="go ant"), "go no\uffffth, then", "go no"),
        (spaces.Text(9, min_length=3, charset="ba"), "bc", "baa"),
        (spaces.Text(9, min_length=1, charset="ba"), "", "a"),
        (spaces.Text(9, min_length=0, charset="ba"), "?", ""),
    ],
)
def test_a_text_outside_its_space_becomes_the_nearest_within(space, text, expected):
    assert nearest_text(space, text) == expected
    assert space.contains(expected)


def test_order_is_text_images_tensors_then_separator_then_action():
    space = spaces.Dict(
        {
            "z": spaces.Text(20),
            "a": spaces.Box(-1, 1, (2,)),
            "m": spaces.Box(0, 255, (16, 32, 3), np.uint8),
            "b": spaces.Discrete(7),
        }
    )
    one = tokenizer(space, spaces.Box(-2.0, 2.0, (1,)))
    value = {"z": "red ball", "a": np.array([0.0, 1.0]), "m": np.zeros((16, 32, 3), np.uint8), "b": 3}
    steps = one.encode_episode(Episode(stack(space, [value]), np.array([[2.0]]), np.zeros(1), "x"))
    words = TEXT.encode("red ball")
    kinds = [Kind.TEXT] * len(words) + [Kind.PATCH] * 2 + [Kind.CONTINUOUS] * 2 + [Kind.DISCRETE, Kind.SEPARATOR]
    assert list(steps.layouts[0].kinds) == [*kinds, Kind.ACTION_CONTINUOUS]
    # a before b; 0 lies in the middle bin; an action at its bound in the last.
    zero, last = VOCABULARY.first_bin + 512, VOCABULARY.first_bin + 1023
    f_of_1 = VOCABULARY.first_bin + int((np.log(101) / np.log(25601) + 1) * 512)
    padding = VOCABULARY.padding
    assert steps.ids.tolist() == [*words, padding, padding, zero, f_of_1, 3, VOCABULARY.separator, last]


def test_acting_and_training_agree_token_for_token():
    space = spaces.Dict(
        {"image": spaces.Box(0, 255, (32, 32, 3), np.uint8), "goal": spaces.Text(30), "x": spaces.Box(-9, 9, (3,))}
    )
    one, played = tokenizer(space), episode(space, spaces.Discrete(4), 5)
    train, act = one.encode_episode(played), one.encode_observations(played.observations, 5)
    starts, act_starts = (np.cumsum(steps.num_slots) - steps.num_slots for steps in (train, act))
    for t in range(5):
        n = act.num_slots[t]
        np.testing.assert_array_equal(act.ids[act_starts[t] :][:n], train.ids[starts[t] :][:n])
        assert act.layouts[act.layout[t]].kinds == train.layouts[train.layout[t]].kinds[:n]
    np.testing.assert_array_equal(act.patches[act.patch_index], train.patches[train.patch_index])


def test_actions_come_back_within_half_a_bin_of_their_bounds():
    space = spaces.Box(np.array([-2.0, 10.0], np.float32), np.array([2.0, 20.0], np.float32))
    one = tokenizer(spaces.Discrete(2), space)
    actions = np.random.default_rng(0).uniform(space.low, space.high, (200, 2)).astype(np.float32)
    steps = one.encode_episode(Episode(np.zeros(200, int), actions, np.zeros(200), "x"))
    decoded = np.stack(one.decode_actions(steps.ids.reshape(200, -1)[:, -2:]))
    assert (np.abs(decoded - actions) <= (space.high - space.low) / 2048 + 1e-5).all()


def test_unbounded_actions_are_clipped():
    one = tokenizer(spaces.Discrete(2), spaces.Box(-np.inf, np.inf, (1,)))
    steps = one.encode_episode(Episode(np.zeros(2, int), np.array([[-7.0], [7.0]]), np.zeros(2), "x"))
    decoded = np.stack(one.decode_actions(steps.ids.reshape(2, -1)[:, -1:])).ravel()
    np.testing.assert_allclose(decoded, [-1 + 1 / 1024, 1 - 1 / 1024])


def test_images_that_are_no_multiple_of_16_are_padded_with_black():
    space = spaces.Box(0, 255, (20, 16), np.uint8)
    steps = tokenizer(space).encode_observations(np.full((1, 20, 16), 9, np.uint8), 1)
    patches = steps.patches[steps.patch_index]
    assert patches.shape == (2, 16, 16, 3)
    assert (patches[1, :4] == 9).all()
    assert (patches[1, 4:] == 0).all()


@pytest.mark.parametrize(
    ("observation", "action", "message"),
    [
        (spaces.Dict({"cam": spaces.Box(0, 255, (7, 7, 3), np.uint8)}), None, "observation.cam.*7x7.*smaller"),
        (spaces.Discrete(1025), None, "observation: .*above 1023"),
        (spaces.Discrete(2), spaces.MultiDiscrete([3, 2000]), "action: .*above 1023"),
        (spaces.Discrete(2), spaces.Box(0, 255, (16, 16, 3), np.uint8), "action: an image cannot be an action"),
        (spaces.Dict({"s": spaces.Sequence(spaces.Discrete(2))}), None, "observation.s: .*Sequence.*cannot"),
        (spaces.Discrete(2), spaces.Dict({}), "action: .*nothing to predict"),
    ],
)
def test_spaces_without_tokens_are_named(observation, action, message):
    with pytest.raises(UserError, match=message):
        tokenizer(observation, action)


def test_nan_is_refused_with_key_and_timestep():
    one = tokenizer(spaces.Dict({"joints": spaces.Box(-1, 1, (2,))}))
    with pytest.raises(UserError, match=r"observation.joints, timestep 1: NaN at element 0"):
        one.encode_observations({"joints": np.array([[0.0, 0.0], [np.nan, 0.0]])}, 2)


def test_discrete_value_outside_its_space_is_refused():
    with pytest.raises(UserError, match=r"observation, timestep 1: value 5 is not in"):
        tokenizer(spaces.Discrete(5)).encode_observations(np.array([0, 5]), 2)


def test_images_of_any_size_have_the_tokens_of_images_of_that_size():
    """One column of images of three sizes beside one of fixed size, against each timestep tokenised alone by its own space."""
    rng = np.random.default_rng(0)
    sizes = [(40, 20), (0, 0), (16, 64), (40, 20)]
    any_size = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    fixed = rng.integers(0, 256, (4, 32, 16, 3), dtype=np.uint8)
    action = np.zeros(4, np.int64)

    def space(image: spaces.Space | None) -> spaces.Dict:
        parts = {"a": image} if image is not None else {}
        return spaces.Dict({**parts, "b": spaces.Box(0, 255, (32, 16, 3), np.uint8)})

    def tokens(image: spaces.Space | None, observations: dict, count: int):
        tokenizer = TimestepTokenizer(space(image), spaces.Discrete(2), VOCABULARY, TEXT)
        return tokenizer.encode_episode(Episode(observations, action[:count], np.zeros(count, np.float32), "test"))

    steps = tokens(AnyImage(), {"a": any_size, "b": fixed}, 4)
    ids = np.split(steps.ids, np.cumsum(steps.num_slots)[:-1])
    index = np.split(steps.patch_index, np.cumsum(steps.num_patches)[:-1])
    for t, size in enumerate(sizes):
        box = spaces.Box(0, 255, (*size, 3), np.uint8) if size != (0, 0) else None
        alone = tokens(box, {"a": any_size[t][None], "b": fixed[t : t + 1]}, 1)
        np.testing.assert_array_equal(ids[t], alone.ids)
        np.testing.assert_array_equal(steps.patches[index[t]], alone.patches[alone.patch_index])
        layout = steps.layouts[steps.layout[t]]
        assert layout.kinds == alone.layouts[0].kinds
        np.testing.assert_array_equal(layout.intervals, alone.layouts[0].intervals)
    assert steps.layout[0] == steps.layout[3]
