"""The vocabulary: which id means what (Gato, section 2.1).

[0, 32000)        text pieces; discrete values in [0, 1024) share the first of these rows, as in the paper
[32000, 33024)    the 1024 bins of continuous values
33024             separator '|' between observation and action
33025             padding, never attended to and never predicted
[33026, 34050)    discrete values, only with `separate_discrete`
"""

from dataclasses import dataclass
from enum import IntEnum

NUM_TEXT = 32000  # Gato, section 2.1: 32000 subwords
NUM_BINS = 1024  # Gato, section 2.1: 1024 uniform bins
NUM_DISCRETE = 1024  # Gato, section 2.1: integers in [0, 1024)
NUM_LOCAL = 512  # observation tokens that a timestep can tell apart; Gato, appendix C.3


class Kind(IntEnum):
    """What a slot of a sequence holds. Observation kinds come first, action kinds last."""

    TEXT = 0
    PATCH = 1
    DISCRETE = 2
    CONTINUOUS = 3
    SEPARATOR = 4
    ACTION_TEXT = 5
    ACTION_DISCRETE = 6
    ACTION_CONTINUOUS = 7
    PADDING = 8


@dataclass(frozen=True)
class Vocabulary:
    """The id ranges of every modality.

    Args:
        separate_discrete: give discrete values 1024 ids of their own instead of sharing the first text ids.
    """

    separate_discrete: bool = False

    @property
    def first_bin(self) -> int:
        """Id of continuous bin 0."""
        return NUM_TEXT

    @property
    def separator(self) -> int:
        """Id of the separator between observation and action."""
        return NUM_TEXT + NUM_BINS

    @property
    def padding(self) -> int:
        """Id in slots that hold nothing; also the id written where an image patch stands."""
        return self.separator + 1

    @property
    def first_discrete(self) -> int:
        """Id of discrete value 0."""
        return self.padding + 1 if self.separate_discrete else 0

    @property
    def size(self) -> int:
        """Number of rows of the embedding table."""
        return self.padding + 1 + (NUM_DISCRETE if self.separate_discrete else 0)
