"""Dialogue, as in training: each turn is a timestep, whose observation is the speaker and whose action is the message.

| user, pictures | '|' | message, end of text | assistant | '|' | reply, end of text | user | ...
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from gymnasium import spaces

from gato_lightning.acting.generation import begin_texts, stream, text_slots
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.token_streams import TokenStreams
from gato_lightning.acting.writer import Picture, Writer
from gato_lightning.errors import UserError
from gato_lightning.sequences.sequence import Slots, slots_of
from gato_lightning.tokens.episode import stack

USER, ASSISTANT = "user", "assistant"  # the roles of the common `messages` form


class Chat:
    """One dialogue with a model. What was said stays in the cache; in a full context, the oldest exchanges are forgotten.

    Args:
        writer: the model and its tokenizers.
        settings: how replies are written; without beams, which cannot be shown as they come.
        generator: of the randomness, on the CPU.

    Raises:
        UserError: the settings ask for beams.
    """

    def __init__(
        self, writer: Writer, settings: DecodingSettings = DecodingSettings(), generator: torch.Generator | None = None
    ) -> None:
        if settings.beams > 1:
            raise UserError(f"beams is {settings.beams}; a reply is shown as it is written, expected 1")
        self._writer, self._settings, self._generator = writer, settings, generator
        self._stream = TokenStreams(writer.model, 1)
        self._exchanges: list[list[Slots]] = []
        self._pending: list[Slots] = []  # said, but not yet in the cache

    @torch.no_grad()
    def say(self, message: str, images: Sequence[Picture] = ()) -> Iterator[str]:
        """Says something to the model.

        Args:
            message: what is said.
            images: what is shown with it.

        Yields:
            The reply, piece by piece as it is written.

        Raises:
            UserError: an image cannot be read, or the message does not fit into the context.
        """
        text, reply, shown = self._writer.text, list[int](), 0
        said = text_slots([*text.encode(message), text.end])
        exchange = [self._observation(USER, images), said, self._observation(ASSISTANT)]
        self._make_room(_num_slots(exchange))
        states = begin_texts(self._stream, [[*self._pending, *exchange]], self._writer.model.config.context_length)
        try:
            for ids in stream(self._writer.model, self._stream, states, self._settings, text.end, self._generator):
                reply.append(int(ids[0]))
                # A letter of several byte pieces shows when it is whole.
                written = text.decode([id_ for id_ in reply if id_ != text.end]).rstrip("\ufffd")
                yield written[shown:]
                shown = len(written)
        finally:  # a reply that is interrupted ends where it is
            seen = max(len(reply) - 1, 0)  # the last token drawn is not in the cache
            reply += [text.end] if reply[-1:] != [text.end] else []
            self._exchanges.append([*exchange, text_slots(reply)])
            self._pending = [text_slots(reply[seen:])]

    def _observation(self, role: str, images: Sequence[Picture] = ()) -> Slots:
        pictures = self._writer.read(images, "dialogue") if images else []
        space: dict[str, spaces.Space] = {"role": spaces.Text(100)}
        space |= {f"image_{n:02}": spaces.Box(0, 255, one.shape, np.uint8) for n, one in enumerate(pictures)}
        shown = {"role": role, **{f"image_{n:02}": one for n, one in enumerate(pictures)}}
        tokenizer = self._writer.tokenizer(space)
        [step] = slots_of(tokenizer.encode_observations(stack(tokenizer.observation_space, [shown]), 1))
        return step

    def _make_room(self, needed: int) -> None:
        """Forgets the oldest exchanges where message and reply would not fit behind them; the rest is computed anew."""
        room = self._writer.model.config.context_length - needed - self._settings.max_new_tokens
        if _num_slots(self._pending) + int(self._stream.length[0]) <= room:
            return
        while self._exchanges and sum(map(_num_slots, self._exchanges)) > room:
            self._exchanges.pop(0)
        self._stream = TokenStreams(self._writer.model, 1)
        self._pending = [part for exchange in self._exchanges for part in exchange]


def _num_slots(parts: Sequence[Slots]) -> int:
    return sum(len(part.ids) for part in parts)
