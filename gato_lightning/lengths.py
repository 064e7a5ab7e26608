"""Whether a timestep fits into a model: one check for training, acting and writing."""

from gato_lightning.errors import UserError
from gato_lightning.vocabulary import NUM_LOCAL

TOO_LONG = "a timestep of {} tokens is longer than the context of {}"


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
        raise UserError(f"an observation of {observed} tokens is longer than the {NUM_LOCAL} local positions")
    if slots > context_length:
        raise UserError(TOO_LONG.format(slots, context_length))
