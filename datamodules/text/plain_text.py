"""Text: prose cut into pieces that fit the context (Gato, section 3.2)."""

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Annotated, Any

import numpy as np
from gymnasium import spaces

from datamodules.base.faults import check_faults
from datamodules.base.pairs import grouped
from datamodules.base.splits import is_held_out
from datamodules.base.task import Job, Split, TaskDataModule
from datamodules.readers.documents import DOCSTRINGS, PACKAGE, TOPICS, Document, fingerprint, read
from gato_lightning.common.settings import PositiveInt, Range, Seed, ShareBelowOne, ShareBetween
from gato_lightning.errors import UserError
from gato_lightning.sequences.store import EpisodeStore
from gato_lightning.sequences.tasks import GenerationTask
from gato_lightning.tokens.episode import Episode
from gato_lightning.tokens.text import TextTokenizer
from gato_lightning.tokens.vocabulary import NUM_TEXT

_DOCUMENTS_PER_JOB = 64
_RESERVED = 2  # tokens of a timestep besides its text: the separator and the end of text


class TextDataModule(TaskDataModule):
    """A task of prose: each episode is one timestep with an empty observation; the action is a piece of a document.

    The held-out split consists of whole documents (the docstrings of a file are one document), without text that also occurs
    in another document.

    Args:
        sources: `python:topics` (Python's language reference), `python:docstrings` (docstrings of the standard library),
            `package:NAME` (docstrings of an installed package), text files, folders, in which every file is read that ends in
            .txt, .jsonl, .jsonl.gz, .jsonl.zst, .parquet or .tar (parts `txt` of a WebDataset), patterns of shards such as
            `texts-{000..127}.tar`, and Hugging Face data sets as `datasets:NAME:SPLIT`. All text is held in memory while
            the pieces are made.
        text_field: the field of JSON objects, and the column of tables, that holds the text.
        piece_tokens: maximum number of tokens in a piece, 8 or more; None: as many as the context holds.
        held_out: share of the documents that is never trained on, in (0, 1).
        openings: number of held-out pieces whose openings the model continues during training, 1 or more.
        max_faults: share of the documents that may be faulty, in [0, 1); they are left out and listed. A larger share ends
            the run.
        timesteps: maximum number of timesteps in a training window, 1 or more; an episode has one.
        seed: seed of the order in which streamed parts are read, 0 or more.
    """

    domain = "text"

    def __init__(
        self,
        sources: Sequence[str] = (TOPICS, DOCSTRINGS, f"{PACKAGE}numpy", f"{PACKAGE}scipy"),
        text_field: str = "text",
        piece_tokens: Annotated[int, Range(least=8)] | None = None,
        held_out: ShareBetween = 0.1,
        openings: PositiveInt = 32,
        max_faults: ShareBelowOne = 0.01,
        timesteps: PositiveInt | None = None,
        seed: Seed = 0,
    ) -> None:
        super().__init__(timesteps=timesteps, seed=seed)
        if not sources:
            raise UserError("sources is empty; expected at least one source of text")
        self.sources = tuple(sources)
        self.piece_tokens, self.held_out, self.openings = piece_tokens, held_out, openings
        self.text_field, self.max_faults = text_field, max_faults
        self.observation_space = spaces.Dict({})
        self.action_space = spaces.Text(max_length=1_000_000)

    def settings(self) -> dict[str, Any]:
        """Returns what shapes the pieces: the arguments, the fingerprints of the sources, and the size of a piece."""
        shaped = {key: value for key, value in super().settings().items() if key != "openings"}
        return {**shaped, "piece_tokens": self._most_tokens, "sources": self._fingerprints}

    def jobs(self, split: Split) -> list[Job]:
        """Returns the jobs that cut the split's documents into pieces."""
        wanted = split == "val"
        documents = [one for one in self._documents if is_held_out(one.name, self.held_out) == wanted]
        if not documents:
            raise UserError(f"sources {list(self.sources)}: too few documents to have any for '{split}'")
        return [partial(self._episodes, chunk) for chunk in grouped(documents, _DOCUMENTS_PER_JOB)]

    def generation(self) -> GenerationTask:
        """Returns evenly spaced held-out pieces, whose openings the model continues; call after `setup`."""
        store = self.stores["val"]
        chosen = np.linspace(0, store.num_timesteps - 1, min(self.openings, store.num_timesteps)).astype(int)
        texts = [self._decode(store, timestep) for timestep in chosen]
        return GenerationTask(
            kind="text",
            observations=[{} for _ in texts],
            references=[[text] for text in texts],
            groups=[""] * len(texts),
            baseline={},
        )

    def unigram_nats(self) -> float:
        """Returns the loss of a unigram model on the held-out split, in nats per token; call after `setup`."""
        return self._unigram_nats

    @cached_property
    def _unigram_nats(self) -> float:
        train, held_out = (_text_ids(self.stores[split]) for split in ("train", "val"))
        counts = np.bincount(train, minlength=NUM_TEXT) + 1.0  # add-one smoothing for tokens absent from training
        return float(-np.log(counts / counts.sum())[held_out].mean())

    @cached_property
    def _documents(self) -> list[Document]:
        documents, faults = read(self.sources, self.text_field)
        listing = self._cache_dir / f"{self.name}.faults.txt"
        check_faults(self.name, "text", faults, len(documents), self.max_faults, listing)
        return documents

    @cached_property
    def _fingerprints(self) -> list[list[object]]:
        return [fingerprint(source) for source in self.sources]

    @property
    def _most_tokens(self) -> int:
        room = self.context_length - _RESERVED
        if self.piece_tokens is not None and self.piece_tokens > room:
            raise UserError(f"piece_tokens is {self.piece_tokens}; a context of {self.context_length} holds {room} at most")
        return self.piece_tokens or room

    def _episodes(self, documents: Sequence[Document]) -> Iterator[Episode]:
        for document in documents:
            for piece in split_text(document.text, self.text_tokenizer, self._most_tokens):
                yield Episode({}, [piece], np.zeros(1, np.float32), source="prose")

    def _decode(self, store: EpisodeStore, timestep: int) -> str:
        ids = store.ids[store.first_slot[timestep] : store.first_slot[timestep + 1]]
        return self.text_tokenizer.decode(ids[1:-1].tolist())  # without the separator and the end of text


def split_text(text: str, tokenizer: TextTokenizer, most: int) -> Iterator[str]:
    """Cuts a text between words into pieces of at most `most` tokens; white space at a cut belongs to no piece."""
    # A character has at most 4 tokens (one per byte), and a text has one more at its start, so a run of this length fits.
    longest = max(1, (most - 1) // 4)
    words = re.findall(rf"\S{{1,{longest}}}\s*", text)
    start, size = 0, most // 2
    while start < len(words):
        # A piece has at least one word, and hardly ever more words than tokens. Each guess is scaled from the token count of
        # the one before, which needs fewer guesses than bisection.
        low, high = 1, min(most, len(words) - start)
        while low < high:
            size = min(max(size, low + 1), high)
            found = len(tokenizer.encode("".join(words[start : start + size]).rstrip()))
            low, high = (size, high) if found <= most else (low, size - 1)
            size = size * most // found
        yield "".join(words[start : start + low]).rstrip()
        start, size = start + low, low


def _text_ids(store: EpisodeStore) -> np.ndarray:
    """Returns all text tokens of a store, including the ends of texts."""
    ids = np.asarray(store.ids, np.int64)
    return ids[ids < NUM_TEXT]
