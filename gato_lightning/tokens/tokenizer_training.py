"""Training a SentencePiece model of one's own."""

from collections.abc import Sequence
from pathlib import Path

import sentencepiece

from gato_lightning.common.outputs import check_file, whole_file
from gato_lightning.errors import UserError
from gato_lightning.tokens.vocabulary import NUM_TEXT


def train_tokenizer(sources: Sequence[Path], output: Path, vocab_size: int = NUM_TEXT) -> None:
    """Trains a SentencePiece model of byte pairs, of the same kind as the default one: every text comes back as it was.

    Args:
        sources: text files in UTF-8, and folders, of which every `.txt` file is read.
        output: the file to write; it appears when it is complete.
        vocab_size: pieces; the model has ids for 32000 and takes no other number.

    Raises:
        UserError: another number of pieces, no such source, too little text for so many pieces, or an output that cannot be
            written.
    """
    if vocab_size != NUM_TEXT:
        raise UserError(f"vocab_size is {vocab_size}; the model has ids for {NUM_TEXT} pieces, expected that many")
    check_file(output, f"--output {output}")
    files = [file for source in sources for file in _files(source)]
    try:
        with whole_file(output) as partial, partial.open("wb") as file:
            sentencepiece.SentencePieceTrainer.train(
                input=[str(path) for path in files],
                model_writer=file,
                vocab_size=vocab_size,
                model_type="bpe",
                byte_fallback=True,
                split_digits=True,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                max_sentence_length=1 << 20,
                minloglevel=2,
            )
    except RuntimeError as error:
        # Its messages end with what is wrong: "... Vocabulary size too high (32000). Please set it to a value <= 812."
        raise UserError(f"tokenizer: {str(error).splitlines()[-1].rpartition('] ')[2]}") from error


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if found := sorted(source.rglob("*.txt")):
        return found
    raise UserError(f"text source {source}: no such file, and no folder with .txt files")
