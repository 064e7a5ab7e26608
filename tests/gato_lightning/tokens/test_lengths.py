"""Timesteps that are too long are refused with both lengths."""

import pytest

from gato_lightning.errors import UserError
from gato_lightning.tokens.lengths import check_length
from gato_lightning.tokens.vocabulary import NUM_LOCAL


def test_the_longest_that_fits_passes():
    check_length(NUM_LOCAL, 600, 600)


@pytest.mark.parametrize(
    ("observed", "slots", "message"),
    [(NUM_LOCAL + 1, 600, "observation of 513 tokens .* 512 local"), (10, 601, "timestep of 601 tokens .* context of 600")],
)
def test_one_more_is_refused(observed, slots, message):
    with pytest.raises(UserError, match=message):
        check_length(observed, slots, 600)
