"""Text as ids and back; what recurs is encoded once, in bounded memory."""

import tracemalloc

import pytest

from gato_lightning.tokens.text import CACHED_LENGTH, CACHED_TEXTS, TextTokenizer

BOUND = 75e6  # bytes


@pytest.mark.parametrize("text", ["", "go to the red ball", "🐈 naïve\n\tspace ", "long " * 200])
def test_there_and_back(text):
    tokenizer = TextTokenizer()
    for _ in range(2):  # the second time from the cache
        ids = tokenizer.encode(text)
        assert all(0 <= id_ < 32000 for id_ in ids)
        assert tokenizer.decode(ids) == text


def test_what_comes_back_is_the_callers_own():
    tokenizer = TextTokenizer()
    tokenizer.encode("a mission").append(7)
    assert 7 not in tokenizer.encode("a mission")


def test_the_cache_is_bounded_in_bytes():
    tokenizer, some = TextTokenizer(), 500
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(some):
        # Four ids a character: the widest there is.
        tokenizer.encode(chr(0x1F000 + number) * CACHED_LENGTH)
        tokenizer.encode(f"{number} " + "a document " * 1000)
    kept = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert kept / some * CACHED_TEXTS < BOUND
