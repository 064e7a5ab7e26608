"""Continuations of held-out texts, to read while training."""

import re
from typing import ClassVar

from lightning import LightningModule, Trainer

from callbacks.scoring.held_out_text import HeldOutTextCallback, evenly
from gato_lightning.acting.sampling import DecodingSettings
from gato_lightning.common.ranks import together
from gato_lightning.common.settings import NonNegativeFloat, NonNegativeInt, PositiveInt, Seed, check_settings
from gato_lightning.sequences.tasks import GenerationTask


class TextSamples(HeldOutTextCallback):
    """Continues the openings of held-out texts and logs them as text.

    Args:
        every_n_steps: optimiser steps between two evaluations, 0 or more; 0: only at the end.
        samples: texts of each task, 1 or more.
        opening_words: words of a text that the model is given, 1 or more; of a shorter text, half of them.
        max_new_tokens: most tokens of a continuation, 1 or more.
        temperature: of the sampled tokens, 0 or more; 0 takes the likeliest.
        seed: of the sampled tokens; 0 or more.

    Attributes:
        written: the latest (opening, continuation, the text's own continuation) of every task, on rank 0.
    """

    kinds: ClassVar[tuple[str, ...]] = ("text",)

    def __init__(
        self,
        every_n_steps: NonNegativeInt = 1000,
        samples: PositiveInt = 4,
        opening_words: PositiveInt = 24,
        max_new_tokens: PositiveInt = 48,
        temperature: NonNegativeFloat = 0.8,
        seed: Seed = 0,
    ) -> None:
        check_settings(locals(), TextSamples)
        super().__init__(every_n_steps, seed)
        self.samples, self.opening_words = samples, opening_words
        self.settings = DecodingSettings(max_new_tokens, temperature)
        self.written: dict[str, list[tuple[str, str, str]]] = {}

    def evaluate(self, trainer: Trainer, module: LightningModule, name: str, task: GenerationTask, at_end: bool) -> None:
        """Writes and logs the continuations of one task."""
        with together():
            chosen = evenly(len(task.observations), self.samples)
            parts = [split_opening(task.references[i][0], self.opening_words) for i in chosen]
            observations = [task.observations[i] for i in chosen]
            openings = [opening for opening, _ in parts]
        texts = self.write(trainer, module, name, observations, self.settings, openings)
        if not trainer.is_global_zero:
            return
        self.written[name] = [(opening, text, rest) for (opening, rest), text in zip(parts, texts, strict=True)]
        page = "\n\n".join(
            f"**Opening**\n\n{_quoted(opening)}\n\n**The model goes on**\n\n{_quoted(text)}\n\n"
            f"**The text goes on**\n\n{_quoted(rest[: 2 * len(text) + 80])}\n\n---"
            for opening, text, rest in self.written[name]
        )
        for logger in trainer.loggers:
            # Of Lightning's loggers, TensorBoard's alone has this.
            add_text = getattr(getattr(logger, "experiment", None), "add_text", None)
            if add_text is not None:
                add_text(f"samples/{name}", page, trainer.global_step)


def split_opening(text: str, words: int) -> tuple[str, str]:
    """Splits a text after so many words, or after half of them where it is shorter than twice that."""
    found = list(re.finditer(r"\S+", text))
    last = found[max(1, min(words, len(found) // 2)) - 1].end() if found else 0
    return text[:last], text[last:].lstrip()


def _quoted(text: str) -> str:
    # An indented block is shown as it is; what the model writes is no Markdown.
    return "\n".join(f"    {line}" for line in text.splitlines()) or "    (nothing)"
