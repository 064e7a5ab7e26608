"""Whether a timestep fits into a model: one check for training, acting and writing."""

from gato_lightning.errors import UserError
from gato_lightning.tokens.vocabulary import NUM_LOCAL

OBSERVATION_TOO_LONG = "an observation of {} tokens is longer than the {} local positions"
TIMESTEP_TOO_LONG = "a timestep of {} tokens is longer than the context of {}"


def check_length(observed: int, slots: int, context_length: int) -> None:
    """Whether a timestep fits into the model.

    Args:
        observed: its tokens before the separator.
        slots: all of its tokens.
        context_length: of the model.

    Raises:
        UserError: it does not; with both lengths.
    """
    if observed > NUM_LOCAL:
        raise UserError(OBSERVATION_TOO_LONG.format(observed, NUM_LOCAL))
    if slots > context_length:
        raise UserError(TIMESTEP_TOO_LONG.format(slots, context_length))
