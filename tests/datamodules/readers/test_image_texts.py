"""Images with their captions."""

from datamodules.base.faults import Fault
from datamodules.readers.image_texts import captioned


def test_captions_become_one_line_each_and_share_their_references():
    found = captioned("k", b"", "file k", ["a  red\n ball ", " ", "the ball"])
    assert not isinstance(found, Fault)
    assert [pair.text for pair in found.pairs] == ["a red ball", "the ball"]
    assert {pair.example.references for pair in found.pairs if pair.example} == {("a red ball", "the ball")}


def test_without_a_caption_there_is_a_fault_that_names_the_image():
    found = captioned("k", b"", "file k", [" \n"])
    assert isinstance(found, Fault)
    assert found.message == "image file k: the caption is empty"
