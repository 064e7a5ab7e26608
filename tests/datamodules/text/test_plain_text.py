import ast
import gzip
import io
import json
import math
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from collections import Counter
from itertools import pairwise
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from datamodules.base.splits import is_held_out
from datamodules.readers.documents import DOCSTRINGS, TOPICS, _docstrings, read
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


def test_what_python_ships_is_read_without_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("json", "copy_of_json", "test"):  # tests are no documents, copies are dropped
        shutil.copytree(Path(json.__file__).parent, tmp_path / name)
    monkeypatch.setattr(sysconfig, "get_paths", lambda: {"stdlib": str(tmp_path)})
    documents, faults = read([TOPICS, DOCSTRINGS])
    assert not faults
    assert sum(len(document.text) for document in documents) > 400_000
    named = {document.name: document for document in documents}
    assert len(named) == len(documents)
    assert "python:docstrings/copy_of_json/decoder.py" in named
    assert not any(name.startswith(("python:docstrings/json", "python:docstrings/test")) for name in named)
    assert "Simple JSON <https://json.org> decoder" in named["python:docstrings/copy_of_json/decoder.py"].text


EVERYWHERE = """'module'
if x:
    def f(): 'if'
elif y:
    async def f(): 'elif'
else:
    class C:
        'else'
        def f(): 'method'
for _ in x:
    def f(): 'for'
else:
    def f(): 'for else'
while x:
    def f(): 'while'
with x:
    def f(): 'with'
try:
    def f(): 'try'
except A:
    def f(): 'except'
else:
    def f(): 'try else'
finally:
    def f(): 'finally'
match x:
    case 1:
        def f(): 'case'
"""


def test_docstrings_are_found_wherever_a_definition_may_stand(tmp_path: Path):
    path = tmp_path / "everywhere.py"
    path.write_text(EVERYWHERE)
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    expected = [ast.get_docstring(node) for node in ast.walk(ast.parse(EVERYWHERE)) if isinstance(node, kinds)]
    assert list(_docstrings(path)) == expected
    assert len(expected) == 14


def test_an_installed_package_is_read_without_importing_it():
    code = (
        "import sys; from datamodules.readers.documents import read;"
        "names = [d.name for d in read(['package:sentencepiece'])[0]];"
        "assert 'package:sentencepiece/__init__.py' in names, names; assert 'sentencepiece' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_package_that_is_not_installed_is_named():
    with pytest.raises(UserError, match="text source package:nowhere: no such package is installed"):
        read(["package:nowhere"])


def test_near_copies_are_dropped_whatever_their_case_and_spacing(tmp_path: Path):
    (tmp_path / "a.txt").write_text("One  text.\n")
    (tmp_path / "b.txt").write_text("one text")
    (tmp_path / "c.txt").write_text("another text")
    assert [document.text for document in read([str(tmp_path)])[0]] == ["One  text.", "another text"]


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


def write_texts(folder: Path, form: str, texts: list[str], broken: bool = False) -> str:
    """Texts in one file of a form; with `broken`, one more entry that is none."""
    path = folder / f"texts.{form}"
    if form == "tar":
        with tarfile.open(path, "w") as tar:
            for i, content in enumerate([*(text.encode() for text in texts), *([b"caf\xe9"] if broken else [])]):
                member = tarfile.TarInfo(f"{i:03d}.txt")
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    elif form == "parquet":
        pyarrow.parquet.write_table(pyarrow.table({"body": [*texts, *([None] if broken else [])]}), path)
    elif form == "datasets":
        datasets.Dataset.from_dict({"body": [*texts, *([None] if broken else [])]}).save_to_disk(str(path))
        return f"datasets:{path}"
    else:
        lines = "".join(json.dumps({"body": text}) + "\n" for text in texts).encode() + (
            b'{"body": "caf\xe9"}' if broken else b""
        )
        if form.endswith("zst"):
            with pyarrow.output_stream(str(path), compression="zstd") as file:
                file.write(lines)
        else:
            path.write_bytes(gzip.compress(lines) if form.endswith("gz") else lines)
    return str(path)


FORMS = {
    "jsonl": r"texts\.jsonl:41: not UTF-8 at byte 13 of the line",
    "jsonl.gz": r"texts\.jsonl\.gz:41: not UTF-8",
    "jsonl.zst": r"texts\.jsonl\.zst:41: not UTF-8",
    "parquet": r"texts\.parquet, row 40: expected a text under 'body'",
    "tar": r"texts\.tar/040: not UTF-8 at byte 3",
    "datasets": r"datasets:.*, row 40: expected a text under 'body'",
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_text_is_read_and_what_is_none_is_named(tmp_path: Path, form: str):
    texts = [f"Text {i} says {i * i}." for i in range(40)]
    documents, faults = read([write_texts(tmp_path, form, texts)], "body")
    assert [document.text for document in documents] == texts
    assert len({document.name for document in documents}) == 40
    assert not faults
    source = write_texts(tmp_path, form, texts, broken=True)
    with pytest.raises(UserError, match="1 of 41 text examples are faulty.*" + FORMS[form]):
        connected(tmp_path, sources=[source], text_field="body", max_faults=0.0).jobs("train")
    module = connected(tmp_path, sources=[source], text_field="body", max_faults=0.1, held_out=0.3)
    pieces = [piece for split in ("train", "val") for job in module.jobs(split) for one in job() for piece in one.actions]
    assert sorted(pieces) == sorted(texts)


def test_a_parquet_file_that_is_none_and_a_missing_column_are_named(tmp_path: Path):
    source = write_texts(tmp_path, "parquet", ["one", "two"])
    with pytest.raises(UserError, match=r"texts\.parquet: has no column 'text'; its columns are body"):
        read([source])
    (tmp_path / "texts.parquet").write_text("no table")
    assert "texts.parquet: breaks off after 0 rows" in read([source])[1][0].message


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
