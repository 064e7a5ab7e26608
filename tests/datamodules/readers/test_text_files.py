"""Text files of every form, and what is told of those that cannot be read."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from datamodules.readers.documents import read
from datamodules.text.plain_text import TextDataModule
from gato_lightning.errors import UserError
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import Vocabulary

TOKENIZER = TextTokenizer()


def connected(tmp_path: Path, context_length: int = 64, **settings: object) -> TextDataModule:
    module = TextDataModule(**settings)  # type: ignore[arg-type]
    module.connect("prose", Vocabulary(), TOKENIZER, context_length, tmp_path / "cache")
    return module


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred documents of 40 words."""
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    for i in range(100):
        words = " ".join(f"word{i}-{n} of the text," for n in range(10))
        (tmp_path / "texts" / ("deep" if i % 2 else "") / f"{i}.txt").write_text(f"Page {i}.\n{words}\n")
    return tmp_path / "texts"


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
