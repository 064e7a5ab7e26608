"""The catalogue of emoji: concepts, names, and every picture once."""

import pytest

from datamodules.vision.emoji_catalogue import catalogue, concept_of, plain_words
from datamodules.vision.images import load


@pytest.mark.parametrize(
    ("name", "concept"),
    [
        ("woman running facing right", "running"),
        ("person running", "running"),
        ("waving hand medium dark skin tone", "waving hand"),
        ("mermaid", "mer"),
        ("mrs claus", "claus"),
        ("family man woman girl", "family"),
        ("kiss woman man", "kiss"),
        ("kiss mark", "kiss mark"),
        ("woman medium light skin tone", "person"),
        ("flag bouvet island", "flag norway"),
        ("grinning face", "grinning face"),
    ],
)
def test_a_concept_is_what_is_shown_less_who_shows_it(name: str, concept: str):
    assert concept_of(name) == concept


def test_names_become_plain_words():
    names = (":Côte_d\u2019Ivoire:", ":keycap_#:", ":T-Rex:", ":Antigua_&_Barbuda:")
    assert [plain_words(name) for name in names] == ["cote divoire", "keycap hash", "t rex", "antigua and barbuda"]


def test_the_catalogue_has_every_picture_once_and_flags_say_so():
    emoji = catalogue(skin_tones=False)
    assert len(emoji) > 1800
    assert len({load(one.path).tobytes() for one in emoji}) == len(emoji)
    named = {name: one for one in emoji for name in one.names}
    assert named["flag france"] is named["flag st martin"]
    assert named["flag england"].concept == "flag england"
