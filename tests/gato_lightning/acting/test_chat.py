"""Dialogue: the model sees what was said as timesteps, whatever is cached, forgotten or interrupted."""

import numpy as np
import pytest
import torch
from gymnasium import spaces

from gato_lightning.acting.chat import Chat
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.acting.writer import Writer
from gato_lightning.errors import UserError
from gato_lightning.sequences.sequence import slots_of
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.image_files import ImageSettings

SHORT = DecodingSettings(5)


@pytest.fixture
def writer(tiny_model, text) -> Writer:
    return Writer(tiny_model, text, {"photos": ("captions", ImageSettings("crop", 16, 16))})


def test_a_dialogue_has_the_tokens_of_a_training_episode(writer):
    talk = Chat(writer, SHORT)
    replies = ["".join(talk.say(message)) for message in ("how are you", "red or blue")]
    slots = [part for exchange in talk._exchanges for part in exchange]
    tokenizer = writer.tokenizer({"role": spaces.Text(100)})
    turns = ["how are you", replies[0], "red or blue", replies[1]]
    episode = Episode({"role": ["user", "assistant"] * 2}, turns, np.zeros(4, np.float32), "dialogue")
    steps = tokenizer.encode_episode(episode)
    written = [part.ids for part in slots]
    # What a model writes may be other tokens of the same text; all else is equal to the letter.
    for turn, step in enumerate(slots_of(steps)):
        observed, said = written[2 * turn : 2 * turn + 2]
        if turn % 2 == 0:
            np.testing.assert_array_equal(np.concatenate([observed, said]), step.ids)
            np.testing.assert_array_equal(np.concatenate([part.kinds for part in slots[2 * turn : 2 * turn + 2]]), step.kinds)
        else:
            np.testing.assert_array_equal(observed, step.ids[: len(observed)])
            assert writer.text.decode(said[:-1].tolist()).rstrip("\ufffd") == turns[turn]


def test_a_reply_comes_in_pieces(writer):
    pieces = list(Chat(writer, SHORT).say("how are you"))
    assert len(pieces) == 5


def test_what_was_said_is_remembered_and_the_cache_changes_nothing(writer):
    kept, anew = Chat(writer, SHORT), Chat(writer, SHORT)
    first = ["".join(talk.say("red or blue")) for talk in (kept, anew)]
    assert first[0] == first[1]
    # The same dialogue, computed anew from the exchanges alone.
    fresh = Chat(writer, SHORT)
    fresh._pending = [part for exchange in anew._exchanges for part in exchange]
    remembered, recomputed, alone = ("".join(talk.say("and now")) for talk in (kept, fresh, Chat(writer, SHORT)))
    assert remembered == recomputed
    np.testing.assert_array_equal(kept._exchanges[-1][-1].ids, fresh._exchanges[0][-1].ids)
    assert remembered != alone


def test_a_long_dialogue_forgets_its_oldest_exchanges_only(writer):
    talk = Chat(writer, SHORT)
    for number in range(12):
        "".join(talk.say(f"message number {number} of a dialogue that is longer than the context"))
        assert talk._stream.length[0] <= writer.model.config.context_length
    said = [writer.text.decode(exchange[1].ids[:-1].tolist()) for exchange in talk._exchanges]
    assert 1 < len(said) < 12
    first = 12 - len(said)
    assert [text.split()[2] for text in said] == [str(n) for n in range(first, 12)]


def test_an_interrupted_reply_ends_where_it_is(writer):
    talk = Chat(writer, SHORT)
    reply = talk.say("how are you")
    next(reply), next(reply)
    reply.close()
    ids = talk._exchanges[0][-1].ids.tolist()
    assert len(ids) == 3
    assert ids[-1] == writer.text.end
    assert "".join(talk.say("go on"))


def test_pictures_are_shown_with_a_message(writer):
    pictures = [np.full((20, 30, 3), shade, np.uint8) for shade in (0, 255)]
    talk = Chat(writer, SHORT)
    "".join(talk.say("what is this", pictures))
    step = talk._exchanges[0][0]
    assert step.patches.shape == (2, 16, 16, 3)
    assert len(step.patch_index) == 2


def test_what_cannot_be_said_is_refused_and_forgotten(writer):
    talk = Chat(writer, SHORT)
    with pytest.raises(UserError, match="leaves no room"):
        "".join(talk.say("word " * 500))
    assert talk._exchanges == []
    assert "".join(talk.say("hello"))
    with pytest.raises(UserError, match="beams is 2"):
        Chat(writer, DecodingSettings(beams=2))


def test_replies_are_drawn_by_the_generator(writer):
    settings = DecodingSettings(5, temperature=3.0)
    replies = ["".join(Chat(writer, settings, torch.Generator().manual_seed(seed)).say("hi")) for seed in (0, 0, 1)]
    assert replies[0] == replies[1] != replies[2]
