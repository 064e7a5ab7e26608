"""An action that is drawn token by token: a fixed number of tokens, but for texts, each up to its end-of-text id."""

from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import Kind


class ActionDraft:
    """The tokens of an action so far, and what the next one may be.

    Args:
        tokenizer: of the action space.
        text_limit: most tokens of a text, 1 or more; the last of them is the end-of-text id.

    Attributes:
        ids: those drawn.
        kinds: the `Kind` of each.
    """

    def __init__(self, tokenizer: TimestepTokenizer, text_limit: int) -> None:
        self._ranges = list(zip(tokenizer.action_ids.tolist(), tokenizer.action_kinds, strict=True))
        self._end, self._text_limit = tokenizer.text.end, text_limit
        self._left = text_limit  # tokens of the present text, if it is one
        self.ids: list[int] = []
        self.kinds: list[int] = []

    @property
    def over(self) -> bool:
        """Whether all tokens are there."""
        return not self._ranges

    @property
    def ids_allowed(self) -> tuple[int, int]:
        """First id and number of ids that the next token may be."""
        (first, count), kind = self._ranges[0]
        return (self._end, 1) if kind == Kind.ACTION_TEXT and self._left == 1 else (first, count)

    def add(self, token: int) -> None:
        """Takes the next token."""
        kind = self._ranges[0][1]
        self.ids.append(token)
        self.kinds.append(kind)
        self._left -= 1
        if kind != Kind.ACTION_TEXT or token == self._end:
            del self._ranges[0]
            self._left = self._text_limit
