"""An action that is drawn token by token."""

from gymnasium import spaces
from hypothesis import given
from hypothesis import strategies as st

from gato_lightning.acting.draft import ActionDraft
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind, Vocabulary

TEXT = TextTokenizer()


def draft(space: spaces.Space, limit: int = 5) -> ActionDraft:
    return ActionDraft(TimestepTokenizer(spaces.Discrete(2), space, Vocabulary(), TEXT), limit)


@given(st.data(), st.integers(1, 5))
def test_any_draw_ends_and_each_text_ends_with_its_end_within_the_limit(data, limit):
    one = draft(spaces.Dict({"a": spaces.Text(9), "b": spaces.MultiDiscrete([3, 4]), "c": spaces.Text(9)}), limit)
    while not one.over:
        first, count = one.ids_allowed
        one.add(data.draw(st.integers(first, first + count - 1)))
    texts = [id for id, kind in zip(one.ids, one.kinds, strict=True) if kind == Kind.ACTION_TEXT]
    assert texts.count(TEXT.end) == 2
    assert texts[-1] == TEXT.end
    assert len(texts) <= 2 * limit
    assert one.kinds.count(Kind.ACTION_DISCRETE) == 2


def test_the_last_token_within_the_limit_can_only_be_the_end():
    one = draft(spaces.Text(9), limit=2)
    assert one.ids_allowed[1] > 1
    one.add(7)
    assert one.ids_allowed == (TEXT.end, 1)
