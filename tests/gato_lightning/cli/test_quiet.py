"""Messages that no user can act on are dropped, and only these."""

import logging
import warnings

import pytest

from gato_lightning.cli.quiet import quiet

LIGHTNING = logging.getLogger("lightning.pytorch.utilities.rank_zero")


@pytest.fixture(autouse=True)
def restored():
    filters = list(LIGHTNING.filters)
    with warnings.catch_warnings():
        yield
    LIGHTNING.filters[:] = filters


def test_known_warnings_are_dropped_and_others_shown(recwarn):
    quiet()
    warnings.warn("the dataloader does not have many workers which may be a bottleneck", stacklevel=1)
    warnings.warn("the loss is nan", stacklevel=1)
    assert [str(one.message) for one in recwarn] == ["the loss is nan"]


def test_advertisements_are_dropped_and_other_lines_kept(caplog):
    quiet()
    quiet()  # again changes nothing
    with caplog.at_level(logging.INFO, LIGHTNING.name):
        LIGHTNING.info("💡 Tip: try our service")
        LIGHTNING.info("GPU available: False")
    assert caplog.messages == ["GPU available: False"]
