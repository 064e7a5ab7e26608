"""Writing: the cache gives what whole passes give, for prompts of any lengths, up to the end id or the context's end."""

import dataclasses

import pytest
import torch
from gymnasium import spaces

from gato_lightning.acting.generation import generate_text
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.errors import UserError
from gato_lightning.model.gato import Gato
from gato_lightning.sequences.sequence import collate, slots_of
from gato_lightning.tokens.timestep import TimestepTokenizer
from gato_lightning.tokens.vocabulary import NUM_TEXT, Kind, Vocabulary

QUESTIONS = [{"q": "what is this"}, {"q": "a much longer question about colours"}, {"q": "no"}]


@pytest.fixture
def asking(text) -> TimestepTokenizer:
    return TimestepTokenizer(spaces.Dict({"q": spaces.Text(500)}), spaces.Text(50), Vocabulary(), text)


def next_logits(model, tokenizer, observation, ids) -> torch.Tensor:
    """Logits of the text id behind `ids`, by one pass over the whole context, without a cache."""
    [step] = slots_of(tokenizer.encode_observations({key: [value] for key, value in observation.items()}, 1))
    length = len(step.ids) + len(ids)
    batch = collate([[step, type(step).of_tokens(ids, Kind.ACTION_TEXT)]], length, Vocabulary())
    batch = dataclasses.replace(batch, position=torch.arange(length)[None], segment=torch.ones(1, length, dtype=torch.long))
    with torch.no_grad():
        return model.logits(model(batch)[0, -1])[:NUM_TEXT]


def greedy(model, tokenizer, observation, most: int) -> list[int]:
    ids: list[int] = []
    while len(ids) < most:
        ids.append(int(next_logits(model, tokenizer, observation, ids).argmax()))
        if ids[-1] == tokenizer.text.end:
            return ids[:-1]
    return ids


def beamed(model, tokenizer, observation, most: int, beams: int) -> list[int]:
    """Beam search as it is defined, a whole pass for each beam and token."""
    texts: list[tuple[float, list[int]]] = [(0.0, [])]
    end = tokenizer.text.end
    for _ in range(most):
        grown = []
        for score, ids in texts:
            if ids[-1:] == [end]:
                grown.append((score, ids))
                continue
            gains, best = next_logits(model, tokenizer, observation, ids).log_softmax(-1).topk(beams)
            grown += [(score + gain, [*ids, id_]) for gain, id_ in zip(gains.tolist(), best.tolist(), strict=True)]
        texts = sorted(grown, key=lambda each: -each[0])[:beams]
    return [id_ for id_ in texts[0][1] if id_ != end]


@torch.no_grad()
def test_greedy_text_of_prompts_of_different_lengths_equals_passes_without_cache(tiny_model, asking):
    together = generate_text(tiny_model, asking, QUESTIONS, DecodingSettings(6))
    assert together == [asking.text.decode(greedy(tiny_model, asking, each, 6)) for each in QUESTIONS]


@torch.no_grad()
@pytest.mark.parametrize("beams", [2, 5])
def test_beam_search_equals_passes_without_cache(unsure_model, asking, beams):
    together = generate_text(unsure_model, asking, QUESTIONS, DecodingSettings(4, beams=beams))
    assert together == [asking.text.decode(beamed(unsure_model, asking, each, 4, beams)) for each in QUESTIONS]


@torch.no_grad()
def test_a_text_stops_at_the_end_id_and_others_go_on(tiny_model, asking, monkeypatch):
    free = [greedy(tiny_model, asking, each, 6) for each in QUESTIONS]
    stop = free[0][2]
    monkeypatch.setattr(asking.text, "end", stop)
    written = generate_text(tiny_model, asking, QUESTIONS, DecodingSettings(6))
    beams = generate_text(tiny_model, asking, QUESTIONS, DecodingSettings(6, beams=2))
    cut = [ids[: ids.index(stop)] if stop in ids else ids for ids in free]
    assert written == [asking.text.decode(ids) for ids in cut]
    assert all(asking.text.decode([stop]) not in text.split() for text in beams)


@torch.no_grad()
@pytest.mark.parametrize("settings", [DecodingSettings(500), DecodingSettings(500, beams=2)])
def test_each_text_goes_on_to_the_end_of_its_own_context(tiny_config, asking, settings, monkeypatch):
    # Position tables have no row behind the context, so that a slot too many would fail.
    torch.manual_seed(0)
    model = Gato(dataclasses.replace(tiny_config, context_length=40, positions="learned")).eval()
    monkeypatch.setattr(asking.text, "end", NUM_TEXT - 1)  # which this model never draws
    together = generate_text(model, asking, QUESTIONS, settings)
    alone = [generate_text(model, asking, [each], settings)[0] for each in QUESTIONS]
    assert together == alone
    assert len(together[2]) > len(together[1])


@torch.no_grad()
def test_only_text_ids_are_drawn(tiny_model, asking, monkeypatch):
    # Every id outside text is made far likelier than any within.
    with torch.no_grad():
        tiny_model.embedding.table.weight[NUM_TEXT:] *= 100
    seen: list[int] = []
    monkeypatch.setattr(asking.text, "decode", lambda ids: seen.extend(ids) or "")
    generate_text(tiny_model, asking, QUESTIONS * 5, DecodingSettings(8, temperature=5.0), torch.Generator().manual_seed(0))
    generate_text(tiny_model, asking, QUESTIONS, DecodingSettings(8, beams=3))
    assert len(seen) > 100
    assert max(seen) < NUM_TEXT


@torch.no_grad()
def test_openings_are_continued(tiny_model, text):
    tokenizer = TimestepTokenizer(spaces.Dict({}), spaces.Text(50), Vocabulary(), text)
    openings = ["Once upon a time", "The end"]
    continued = generate_text(tiny_model, tokenizer, [{}, {}], DecodingSettings(1), openings=openings)
    likeliest = [next_logits(tiny_model, tokenizer, {}, text.encode(opening)).argmax() for opening in openings]
    assert continued == [text.decode([int(each)]) for each in likeliest]


def test_a_prompt_that_fills_the_context_is_refused(tiny_model, asking):
    with pytest.raises(UserError, match=r"a prompt of \d+ tokens leaves no room for a text in a context of 128"):
        generate_text(tiny_model, asking, [{"q": "word " * 200}])


def test_an_observation_of_more_than_the_local_positions_is_refused(tiny_config, text):
    model = Gato(dataclasses.replace(tiny_config, context_length=1024)).eval()
    long = TimestepTokenizer(spaces.Text(2000), spaces.Text(50), Vocabulary(), text)
    with pytest.raises(UserError, match="an observation of 600 tokens is longer than the 512 local positions"):
        generate_text(model, long, [" a" * 599], DecodingSettings(2))
