"""Drawing the next token.

B lanes or texts, D width, V ids that can be drawn
"""

from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from torch import Tensor

from gato_lightning.common.settings import NonNegativeFloat, PositiveInt, Range, check_settings
from gato_lightning.errors import UserError
from gato_lightning.model.gato import Gato


@dataclass(frozen=True)
class DecodingSettings:
    """How text is written.

    Args:
        max_new_tokens: most tokens of a text, 1 or more; it ends earlier at the end-of-text id, and where the context is full.
        temperature: of the softmax, 0 or more; 0 takes the likeliest token. Gato samples captions at 0.9 (Gato, section 4).
        top_k: draw among so many of the likeliest tokens, 1 or more; None: among all.
        top_p: draw among the likeliest tokens whose probabilities together reach this, in (0, 1] (Holtzman et al. 2020).
        beams: texts, 1 or more, kept side by side by beam search, which draws nothing and gives the likeliest text it finds;
            1: none.

    Raises:
        UserError: a value out of its range, or beams beside a temperature.
    """

    max_new_tokens: PositiveInt = 32
    temperature: NonNegativeFloat = 0.0
    top_k: PositiveInt | None = None
    top_p: Annotated[float, Range(above=0, most=1)] = 1.0
    beams: PositiveInt = 1

    def __post_init__(self) -> None:
        check_settings(vars(self), type(self))
        if self.beams > 1 and self.temperature > 0:
            raise UserError(f"beams is {self.beams} and temperature {self.temperature}; beam search draws nothing, expected 0")


def draw(
    logits: Tensor,
    temperature: float,
    top_k: int | None = None,
    top_p: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draws a token for each text; with both `top_k` and `top_p`, the latter counts among what the former leaves.

    Args:
        logits: (B, V) float32.
        temperature: 0 takes the likeliest token, and the rest decides nothing.
        top_k: see `DecodingSettings`.
        top_p: see `DecodingSettings`.
        generator: of the randomness, on the logits' device.

    Returns:
        (B,) int64 in [0, V).
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits / temperature
    if top_k is None and top_p == 1:
        return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]
    ordered, ids = logits.topk(min(top_k or logits.shape[-1], logits.shape[-1]))  # each (B, K), the likeliest first
    shares = ordered.softmax(dim=-1)
    # A token is left out if the likelier ones reach top_p without it; so the likeliest never is.
    shares = shares.masked_fill(shares.cumsum(dim=-1) - shares >= top_p, 0.0)
    return ids.gather(1, torch.multinomial(shares, 1, generator=generator))[:, 0]


def logits_among(model: Gato, states: Tensor, first: int, count: int) -> Tensor:
    """(B, count) float32 logits, on the CPU, of the `count` ids from `first` on; only their output rows are computed.

    Args:
        model: whose output rows are used.
        states: (B, D).
        first: the first id.
        count: how many ids.
    """
    rows = model.embedding.table.weight[first : first + count]
    return F.linear(states, rows).float().cpu()


def choose(model: Gato, states: Tensor, first: int, count: int, temperature: float, uniform: Tensor) -> Tensor:
    """Draws the next token of each lane among `count` ids from `first` on.

    Args:
        model: whose output rows are used.
        states: (B, D).
        first: the first id.
        count: how many ids.
        temperature: of the softmax; 0 takes the likeliest.
        uniform: (B,) numbers in [0, 1), on the CPU: where in the distribution each lane's token lies. So a lane's draws are its
            own, whatever lanes stand beside it.

    Returns:
        (B,) int64 ids, on the CPU.
    """
    logits = logits_among(model, states, first, count)
    if temperature == 0:
        return first + logits.argmax(dim=-1)
    shares = (logits / temperature).softmax(dim=-1).double().cumsum(dim=-1)
    place = torch.searchsorted(shares, uniform.double()[:, None] * shares[:, -1:], right=True)[:, 0]
    return first + place.clamp(max=count - 1)
