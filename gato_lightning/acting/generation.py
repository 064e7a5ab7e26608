"""Writing text on the key-value cache: captions, answers, continuations, replies.

B texts side by side, K beams a text, D width, V text ids
"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from gato_lightning.acting.sampling import DecodingSettings, draw, logits_among
from gato_lightning.acting.token_streams import TokenStreams
from gato_lightning.errors import UserError
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.sequence import Slots, slots_of
from gato_lightning.tokens.episode import stack
from gato_lightning.tokens.lengths import check_length
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import NUM_TEXT, Kind

LANES = 64  # texts at once, beams included


def generate_text(
    model: Gato,
    tokenizer: TimestepTokenizer,
    observations: Sequence[Any],
    settings: DecodingSettings = DecodingSettings(),
    generator: torch.Generator | None = None,
    openings: Sequence[str] | None = None,
) -> list[str]:
    """Text actions for observations.

    Args:
        model: in evaluation mode.
        tokenizer: of spaces whose action is text.
        observations: one value of the observation space per text; they may differ in length.
        settings: how the texts are written.
        generator: of the randomness, on the CPU.
        openings: how each text begins; not part of what is returned.

    Returns:
        A text per observation.

    Raises:
        UserError: the tokenizer's actions are not text, an observation has more tokens than there are local positions, or a
            prompt leaves no room in the context.
    """
    if not tokenizer.acts_in_text:
        raise UserError(f"the action space {tokenizer.action_space} is not text")
    openings = openings or [""] * len(observations)
    texts: list[str] = []
    together = max(1, LANES // settings.beams)
    for begin in range(0, len(observations), together):
        part = slice(begin, begin + together)
        steps = tokenizer.encode_observations(stack(tokenizer.observation_space, observations[part]), len(observations[part]))
        opened = [text_slots(tokenizer.text.encode(text)) for text in openings[part]]
        prompts = [[step, opening] for step, opening in zip(slots_of(steps), opened, strict=True)]
        rows = _write(model, prompts, settings, tokenizer.text.end, generator)
        texts += [tokenizer.text.decode(row) for row in rows]
    return texts


def _write(
    model: Gato, prompts: Sequence[Sequence[Slots]], settings: DecodingSettings, end: int, generator: torch.Generator | None
) -> list[list[int]]:
    """Ids of the texts behind the prompts, without the end-of-text id."""
    streams = TokenStreams(model, len(prompts))
    states = begin_texts(streams, prompts, model.config.context_length)
    if settings.beams > 1:
        written = beam_search(model, streams, states, settings, end)
    else:
        written = torch.stack(list(stream(model, streams, states, settings, end, generator)), dim=1)
    return [row[: row.index(end)] if end in row else row for row in written.tolist()]


def begin_texts(streams: TokenStreams, chunks: Sequence[Sequence[Slots]], context_length: int) -> Tensor:
    """Appends what the texts follow; returns the (B, D) states from which their first tokens are predicted.

    Raises:
        UserError: a lane would have no room for a token of the text, or an observation is too long.
    """
    longest = max(int(n) + sum(len(part.ids) for part in chunk) for n, chunk in zip(streams.length, chunks, strict=True))
    if longest >= context_length:
        raise UserError(f"a prompt of {longest} tokens leaves no room for a text in a context of {context_length}")
    for step in (part for chunk in chunks for part in chunk if part.num_timesteps):
        check_length(len(step.ids) - 1, len(step.ids), context_length)
    return streams.extend(chunks)


def text_slots(ids: Sequence[int]) -> Slots:
    """Slots of a text that is being written."""
    return Slots.of_tokens(ids, Kind.ACTION_TEXT)


def stream(
    model: Gato,
    streams: TokenStreams,
    states: Tensor,
    settings: DecodingSettings,
    end: int,
    generator: torch.Generator | None = None,
) -> Iterator[Tensor]:
    """Writes all texts token by token, until each has ended, is long enough or has filled the context.

    Args:
        model: in evaluation mode.
        streams: what the texts follow; they take every token but the last one of each text.
        states: (B, D) from which the first tokens are predicted.
        settings: how to draw; without beams.
        end: the end-of-text id.
        generator: of the randomness, on the CPU.

    Yields:
        (B,) int64 ids; `end` again and again in a text that is over.
    """
    writing = torch.ones(len(states), dtype=torch.bool)
    for left in reversed(range(settings.max_new_tokens)):
        logits = logits_among(model, states, 0, NUM_TEXT)
        ids = draw(logits, settings.temperature, settings.top_k, settings.top_p, generator).masked_fill(~writing, end)
        yield ids
        writing &= (ids != end) & torch.from_numpy(streams.length < model.config.context_length)
        if not left or not writing.any():
            return
        states = streams.append(ids, Kind.ACTION_TEXT, writing)


def beam_search(model: Gato, streams: TokenStreams, states: Tensor, settings: DecodingSettings, end: int) -> Tensor:
    """The likeliest text, by the sum of its tokens' log-probabilities, that K beams find for each prompt.

    Args: as of `stream`.

    Returns:
        (B, L) int64 ids; what follows an `end` is no part of the text.
    """
    count, beams = len(states), settings.beams
    streams.take(torch.arange(count).repeat_interleave(beams))
    states = states.repeat_interleave(beams, dim=0)  # (B * K, D)
    # The beams of a prompt are alike at first, so that only one of them counts.
    scores = torch.full((count, beams), -torch.inf)
    scores[:, 0] = 0.0
    over = torch.zeros(count, beams, dtype=torch.bool)
    written = torch.empty(count, beams, 0, dtype=torch.int64)
    for left in reversed(range(settings.max_new_tokens)):
        gains = logits_among(model, states, 0, NUM_TEXT).log_softmax(dim=-1).view(count, beams, NUM_TEXT)
        # A text that is over goes on with the end id alone, for nothing.
        gains[over] = -torch.inf
        gains[..., end] = gains[..., end].masked_fill(over, 0.0)
        scores, best = (scores[..., None] + gains).flatten(1).topk(beams)  # (B, K), the likeliest first
        beam, ids = best // NUM_TEXT, best % NUM_TEXT
        written = torch.cat([written.gather(1, beam[..., None].expand(-1, -1, written.shape[2])), ids[..., None]], dim=2)
        streams.take((torch.arange(count)[:, None] * beams + beam).flatten())
        full = torch.from_numpy(streams.length >= model.config.context_length).view(count, beams)
        over = over.gather(1, beam) | (ids == end) | full
        # Scores only fall, so that nothing can overtake a text that is first and over.
        if not left or over[:, 0].all():
            break
        states = streams.append(ids.flatten(), Kind.ACTION_TEXT, ~over.flatten())
    return written[:, 0]
