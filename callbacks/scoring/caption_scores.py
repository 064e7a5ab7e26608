"""Scores of written captions."""

import re
from collections.abc import Sequence

import numpy as np
from torchmetrics.functional.text import bleu_score, chrf_score

SHUFFLES = 10  # pairings of captions with other pictures that the baseline is the mean of


def plain_words(text: str) -> str:
    """A text in lower case, less punctuation and double spaces, so that neither decides over right and wrong."""
    return " ".join(re.findall(r"\w+", text.lower()))


def caption_scores(texts: Sequence[str], references: Sequence[Sequence[str]], seed: int = 0) -> dict[str, float]:
    """BLEU-1 to 4, ROUGE-L, CHRF, CIDEr-D, and CIDEr-D of the same captions under other pictures.

    BLEU, ROUGE-L and CIDEr-D are those of `pycocoevalcap` on the same strings, cut into words here and by Java there.

    Args:
        texts: N captions, N at least 2.
        references: one or more right captions for each.
        seed: of the shuffling.

    Returns:
        `bleu_1` to `bleu_4`, `rouge_l` and `chrf` in [0, 1]; `cider_d` and `cider_d_shuffled` in [0, 10]: what captions
        that do not look at the picture get, and `examples`.
    """
    # Imported here: it takes ten seconds, which a run without captions need not wait for.
    from aac_metrics.functional import rouge_l

    candidates = [plain_words(text) for text in texts]
    right = [[plain_words(reference) for reference in each] for each in references]
    scores = {f"bleu_{n}": float(bleu_score(candidates, right, n_gram=n)) for n in (1, 2, 3, 4)}
    # torchmetrics' ROUGE-L weighs precision and recall alike and takes both from one reference; that of captions does neither.
    scores["rouge_l"] = float(rouge_l(candidates, right)[0]["rouge_l"])
    scores["chrf"] = float(chrf_score(candidates, right))
    scores["cider_d"] = cider_d(candidates, right)
    # Turned by 1 to N - 1 places in a random order, every caption gets a picture that is not its own.
    order = np.random.default_rng(seed).permutation(len(right))
    turns = np.unique(np.linspace(1, len(right) - 1, SHUFFLES).astype(int))
    shuffled = []
    for turn in turns:
        other = dict(zip(order, np.roll(order, turn), strict=True))
        shuffled.append(cider_d(candidates, [right[other[i]] for i in range(len(right))]))
    scores["cider_d_shuffled"] = float(np.mean(shuffled))
    scores["examples"] = float(len(texts))
    return scores


def cider_d(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """CIDEr-D of N plain captions against plain references, in [0, 10]; N at least 2."""
    from aac_metrics.functional import cider_d

    corpus, _ = cider_d(list(candidates), [list(each) for each in references])
    return float(corpus["cider_d"])
