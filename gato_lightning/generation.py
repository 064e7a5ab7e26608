"""Writing text: captions, answers, continuations."""

from collections.abc import Sequence
from typing import Any

import torch

from gato_lightning.decoding import Lanes, choose
from gato_lightning.episode import stack
from gato_lightning.errors import UserError
from gato_lightning.model import Gato
from gato_lightning.sequence import Slots, slots_of
from gato_lightning.timestep import TimestepTokenizer
from gato_lightning.vocabulary import NUM_TEXT, Kind

LANES = 64  # examples at once


def generate_text(
    model: Gato,
    tokenizer: TimestepTokenizer,
    observations: Sequence[Any],
    max_new_tokens: int = 32,
    temperature: float = 0.0,
    generator: torch.Generator | None = None,
    openings: Sequence[str] | None = None,
) -> list[str]:
    """Text actions for observations.

    Args:
        model: in evaluation mode.
        tokenizer: of spaces whose action is text.
        observations: one value of the observation space per text.
        max_new_tokens: most tokens of a text; it ends earlier at the end-of-text id, and where the context is full.
        temperature: 0 takes the likeliest token; Gato samples captions at 0.9 (Gato, section 4).
        generator: of the randomness, on the CPU.
        openings: how each text begins; not part of what is returned.

    Returns:
        A text per observation.

    Raises:
        UserError: the tokenizer's actions are not text.
    """
    if not tokenizer.acts_in_text:
        raise UserError(f"the action space {tokenizer.action_space} is not text")
    openings = openings or [""] * len(observations)
    texts: list[str] = []
    for begin in range(0, len(observations), LANES):
        part = slice(begin, begin + LANES)
        ids = _write(model, tokenizer, observations[part], openings[part], max_new_tokens, temperature, generator)
        texts += [tokenizer.text.decode(row) for row in ids]
    return texts


def _write(
    model: Gato,
    tokenizer: TimestepTokenizer,
    observations: Sequence[Any],
    openings: Sequence[str],
    max_new_tokens: int,
    temperature: float,
    generator: torch.Generator | None,
) -> list[list[int]]:
    """Ids of the texts of at most `LANES` observations, without the end-of-text id."""
    steps = tokenizer.encode_observations(stack(tokenizer.observation_space, observations), len(observations))
    chunks = [[slots, _text_slots(tokenizer, text)] for slots, text in zip(slots_of(steps), openings, strict=True)]
    lanes = Lanes(model, len(chunks))
    states = lanes.extend(chunks)
    written = torch.empty(len(chunks), 0, dtype=torch.int64)
    ended = torch.zeros(len(chunks), dtype=torch.bool)
    for _ in range(min(max_new_tokens, model.config.context_length - int(lanes.length.max()))):
        ids = choose(model, states, 0, NUM_TEXT, temperature, generator)
        written = torch.cat([written, ids[:, None]], dim=1)
        ended |= ids == tokenizer.text.end
        if ended.all():
            break
        states = lanes.append(ids, Kind.ACTION_TEXT)
    rows = written.tolist()
    end = tokenizer.text.end
    return [row[: row.index(end)] if end in row else row for row in rows]


def _text_slots(tokenizer: TimestepTokenizer, text: str) -> Slots:
    return Slots.of_tokens(tokenizer.text.encode(text), Kind.ACTION_TEXT)
