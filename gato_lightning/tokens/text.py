"""Text as tokens: a SentencePiece model with 32000 pieces (Gato, section 2.1)."""

import hashlib
from array import array
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

import sentencepiece

from gato_lightning.errors import UserError
from gato_lightning.tokens.vocabulary import NUM_TEXT

# Texts whose ids are kept, and the characters of the longest: at most 4.5 kB each (4 ids of 2 bytes a character), 75 MB in all.
CACHED_TEXTS, CACHED_LENGTH = 16384, 256


def default_model_path() -> Path:
    """The 32000-piece model that ships in `mistral-common` (Apache-2.0), so that nothing has to be downloaded."""
    return Path(str(files("mistral_common") / "data" / "tokenizer.model.v1"))


class TextTokenizer:
    """Encodes strings to ids in [0, 32000) and back.

    Args:
        model_path: a SentencePiece model with exactly 32000 pieces; None takes the one that ships.

    Raises:
        UserError: the file is missing, is no SentencePiece model, or has another number of pieces.
    """

    def __init__(self, model_path: str | Path | None = None) -> None:
        self.path = Path(model_path) if model_path else default_model_path()
        if not self.path.is_file():
            raise UserError(f"tokenizer model {self.path}: no such file")
        model = self.path.read_bytes()
        self.sha256 = hashlib.sha256(model).hexdigest()
        try:
            self._pieces = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise UserError(f"tokenizer model {self.path}: not a SentencePiece model") from error
        if self._pieces.vocab_size() != NUM_TEXT:
            raise UserError(f"tokenizer model {self.path}: {self._pieces.vocab_size()} pieces, expected {NUM_TEXT}")
        self.end = self._pieces.eos_id()
        if self.end < 0:
            raise UserError(f"tokenizer model {self.path}: has no end-of-text piece")
        # Missions and questions recur at every timestep: encode each once.
        self._recurring = lru_cache(maxsize=CACHED_TEXTS)(lambda text: array("H", self._pieces.encode(text)))

    def encode(self, text: str) -> list[int]:
        """Ids of the text, without begin or end token."""
        return self._recurring(text).tolist() if len(text) <= CACHED_LENGTH else self._pieces.encode(text)

    def decode(self, ids: list[int]) -> str:
        """The text of ids in [0, 32000)."""
        return self._pieces.decode(ids)
