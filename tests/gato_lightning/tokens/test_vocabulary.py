"""The ranges of ids (Gato, section 2.1)."""

import pytest

from gato_lightning.tokens.vocabulary import NUM_BINS, NUM_DISCRETE, NUM_TEXT, Kind, Vocabulary


def test_the_papers_ranges():
    vocabulary = Vocabulary()
    assert (vocabulary.first_bin, vocabulary.first_bin + NUM_BINS) == (32_000, 33_024)
    assert vocabulary.first_discrete == 0  # shared with the first texts
    assert vocabulary.size == 33_026


@pytest.mark.parametrize("separate", [False, True])
def test_no_two_meanings_share_an_id_but_discrete_values_and_text(separate):
    vocabulary = Vocabulary(separate)
    bins = range(vocabulary.first_bin, vocabulary.first_bin + NUM_BINS)
    discrete = range(vocabulary.first_discrete, vocabulary.first_discrete + NUM_DISCRETE)
    parts = [range(NUM_TEXT), bins, [vocabulary.separator], [vocabulary.padding], *([discrete] if separate else [])]
    ids = [id for part in parts for id in part]
    assert sorted(ids) == list(range(vocabulary.size))


def test_observations_come_before_actions():
    observed = [Kind.TEXT, Kind.PATCH, Kind.DISCRETE, Kind.CONTINUOUS]
    acted = [Kind.ACTION_TEXT, Kind.ACTION_DISCRETE, Kind.ACTION_CONTINUOUS]
    assert max(observed) < Kind.SEPARATOR < min(acted)
