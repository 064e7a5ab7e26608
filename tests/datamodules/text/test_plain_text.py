import math
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from datamodules.base.splits import is_held_out
from datamodules.readers.documents import TOPICS, read
from datamodules.text.plain_text import TextDataModule, split_text
from gato_lightning.errors import UserError
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TOKENIZER = TextTokenizer()


def connected(tmp_path: Path, context_length: int = 64, **settings: object) -> TextDataModule:
    module = TextDataModule(**settings)  # type: ignore[arg-type]
    module.connect("prose", Vocabulary(), TOKENIZER, context_length, tmp_path / "cache")
    return module


def stored(module: TextDataModule) -> TextDataModule:
    """The module with its stores written and opened, as the mixture leaves it."""
    for split in ("train", "val"):
        module.write(split, [module.tokenise(episode) for job in module.jobs(split) for episode in job()], {})
    module.setup("fit")
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred documents of 40 words."""
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    for i in range(100):
        words = " ".join(f"word{i}-{n} of the text," for n in range(10))
        (tmp_path / "texts" / ("deep" if i % 2 else "") / f"{i}.txt").write_text(f"Page {i}.\n{words}\n")
    return tmp_path / "texts"


@pytest.mark.parametrize("most", [8, 9, 50])
@pytest.mark.parametrize(
    "text",
    [
        "Plain words, a few of them,\n\n    an indented block\n    and the end.",
        "x" * 300,
        "=" * 79 + "\nTitle\n" + "=" * 79,
        "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 and 漢字漢字漢字漢字漢字漢字漢字",
    ],
)
def test_pieces_fit_and_together_are_the_text(text: str, most: int):
    pieces = list(split_text(text, TOKENIZER, most))
    assert all(0 < len(TOKENIZER.encode(piece)) <= most for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_a_piece_ends_only_where_the_next_word_does_not_fit():
    text = " ".join(" ".join(document.text for document in read([TOPICS])[0][:20]).split()[:1000])
    pieces = list(split_text(text, TOKENIZER, 62))
    assert len(pieces) > 5
    for piece, after in pairwise(pieces):
        assert len(TOKENIZER.encode(f"{piece} {after.split()[0]}")) > 62


def test_a_document_stands_on_one_side_of_the_split(tmp_path: Path, folder: Path):
    module = connected(tmp_path, sources=[str(folder)], held_out=0.3)
    sides = {
        split: "".join(piece for job in module.jobs(split) for episode in job() for piece in episode.actions)
        for split in ("train", "val")
    }
    for i in range(100):
        name = f"deep/{i}.txt" if i % 2 else f"{i}.txt"
        held_out = is_held_out(name, 0.3)
        assert (f"Page {i}." in sides["val"]) == held_out
        assert (f"Page {i}." in sides["train"]) != held_out


def test_pieces_fill_the_context_with_separator_and_end(tmp_path: Path, folder: Path):
    module = connected(tmp_path, context_length=32, sources=[str(folder)])
    steps = [module.tokenise(episode).timesteps for job in module.jobs("train") for episode in job()]
    lengths = [int(step.num_slots[0]) for step in steps]
    assert max(lengths) <= 32
    assert max(lengths) >= 28
    assert all(step.ids[0] == Vocabulary().separator and step.ids[-1] == TOKENIZER.end for step in steps)


def test_the_cache_key_changes_with_the_text_and_with_the_context(tmp_path: Path, folder: Path):
    key = connected(tmp_path, sources=[str(folder)]).folder("train")
    assert connected(tmp_path, sources=[str(folder)], openings=3).folder("train") == key
    assert connected(tmp_path, sources=[str(folder)], context_length=48).folder("train") != key
    (folder / "0.txt").write_text("changed")
    assert connected(tmp_path, sources=[str(folder)]).folder("train") != key


def test_the_unigram_model_is_add_one_smoothed_over_all_pieces(tmp_path: Path, folder: Path):
    module = stored(connected(tmp_path, sources=[str(folder)], held_out=0.3))

    def tokens(split: str) -> list[int]:
        pieces = [piece for job in module.jobs(split) for episode in job() for piece in episode.actions]
        return [id for piece in pieces for id in (*TOKENIZER.encode(piece), TOKENIZER.end)]

    train, held_out = Counter(tokens("train")), tokens("val")
    total = sum(train.values()) + 32000
    expected = -sum(math.log((train[id] + 1) / total) for id in held_out) / len(held_out)
    assert module.unigram_nats() == pytest.approx(expected, rel=1e-9)


def test_generation_offers_held_out_pieces(tmp_path: Path, folder: Path):
    module = stored(connected(tmp_path, sources=[str(folder)], openings=5))
    task = module.generation()
    held_out = {piece for job in module.jobs("val") for episode in job() for piece in episode.actions}
    assert task.kind == "text"
    assert 1 <= len(task.observations) <= 5
    assert all(text in held_out for (text,) in task.references)
    assert all(module.observation_space.contains(observation) for observation in task.observations)


def test_wrong_settings_and_files_are_named(tmp_path: Path, folder: Path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "lonely.txt").write_text("one document")
    for source, message in (
        ("missing", "missing: no such file or folder"),
        ("empty", r"empty: no file in it ends in \.txt"),
        ("latin.txt", r"latin\.txt: not UTF-8 at byte 3"),
        ("lonely.txt", "too few documents"),
    ):
        module = connected(tmp_path, sources=[str(tmp_path / source)])
        with pytest.raises(UserError, match=message):
            [module.jobs(split) for split in ("train", "val")]
    for settings, message in (
        ({"sources": []}, "sources is empty"),
        ({"piece_tokens": 4}, "piece_tokens: 4, expected a whole number, 8 or more"),
        ({"piece_tokens": 63, "sources": [str(folder)]}, "a context of 64 holds 62 at most"),
    ):
        with pytest.raises(UserError, match=message):
            connected(tmp_path, **settings).folder("train")
