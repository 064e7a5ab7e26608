import random
from pathlib import Path

import pytest

from gato_lightning.errors import UserError
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.tokenizer_training import train_tokenizer


def words(count: int) -> list[str]:
    rng = random.Random(0)
    return ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(4, 9))) for _ in range(count)]


def test_a_trained_tokenizer_is_one_for_the_model_and_loses_nothing(tmp_path: Path):
    known = words(12_000)
    (tmp_path / "texts" / "deep").mkdir(parents=True)
    (tmp_path / "texts" / "deep" / "a.txt").write_text("\n".join(" ".join(known[i : i + 12]) for i in range(0, 12_000, 12)))
    output = tmp_path / "models" / "own.model"
    train_tokenizer([tmp_path / "texts"], output)
    tokenizer = TextTokenizer(output)
    assert tokenizer.sha256 != TextTokenizer().sha256
    for text in (" ".join(known[:20]), "  two  spaces\nand\ta line", "Ünïcode 123 \u00e9\u4e2d\U0001f600"):
        assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(known[0])) < len(TextTokenizer().encode(known[0]))
    assert [path.name for path in output.parent.iterdir()] == ["own.model"]


@pytest.mark.parametrize(
    ("size", "text", "message"), [(99, "a", "99; the model has ids for 32000"), (32000, "a b c", "tokenizer: ")]
)
def test_what_cannot_be_trained_is_told_in_a_line(tmp_path: Path, size, text, message):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        train_tokenizer([tmp_path], tmp_path / "own.model", size)
    assert not (tmp_path / "own.model").exists()


def test_a_source_without_text_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="nowhere: no such file"):
        train_tokenizer([tmp_path / "nowhere"], tmp_path / "own.model")
