"""Scores of written captions and answers."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np
from torchmetrics.functional.text import bleu_score

SHUFFLES = 10  # pairings of captions with other pictures that the baseline is the mean of


def plain(text: str) -> str:
    """A text in lower case, less punctuation and double spaces, so that neither decides over right and wrong."""
    return " ".join(re.findall(r"\w+", text.lower()))


def caption_scores(texts: Sequence[str], references: Sequence[Sequence[str]], seed: int = 0) -> dict[str, float]:
    """BLEU-1 to 4, CIDEr-D, and CIDEr-D of the same captions under other pictures.

    Args:
        texts: N captions, N at least 2.
        references: one or more right captions for each.
        seed: of the shuffling.

    Returns:
        `bleu_1` to `bleu_4` in [0, 1]; `cider_d` and `cider_d_shuffled` in [0, 10]: what captions that do not look at
        the picture get, and `examples`.
    """
    candidates = [plain(text) for text in texts]
    right = [[plain(reference) for reference in each] for each in references]
    scores = {f"bleu_{n}": float(bleu_score(candidates, right, n_gram=n)) for n in (1, 2, 3, 4)}
    scores["cider_d"] = _cider_d(candidates, right)
    # Turned by 1 to N - 1 places in a random order, every caption gets a picture that is not its own.
    order = np.random.default_rng(seed).permutation(len(right))
    turns = np.unique(np.linspace(1, len(right) - 1, SHUFFLES).astype(int))
    shuffled = []
    for turn in turns:
        other = dict(zip(order, np.roll(order, turn), strict=True))
        shuffled.append(_cider_d(candidates, [right[other[i]] for i in range(len(right))]))
    scores["cider_d_shuffled"] = float(np.mean(shuffled))
    scores["examples"] = float(len(texts))
    return scores


def _cider_d(candidates: list[str], references: list[list[str]]) -> float:
    # Imported here: it takes ten seconds, which a run without captions need not wait for.
    from aac_metrics.functional import cider_d

    corpus, _ = cider_d(candidates, references)
    return float(corpus["cider_d"])


def answer_scores(
    texts: Sequence[str], references: Sequence[Sequence[str]], groups: Sequence[str], baseline: dict[str, str]
) -> dict[str, float]:
    """Share of answers that are exactly right, overall and by question type, beside those of two constant answers.

    Args:
        texts: N answers.
        references: one or more right answers for each.
        groups: question type of each, or "".
        baseline: the commonest training answer of each type.

    Returns:
        `accuracy`; `commonest`, of the baseline, where there is one; `best_constant`, of the answer of each type that
        is right most often on these very questions, which no constant answer can beat; each of them also by type, as in
        `accuracy/<type>`; all in [0, 1]; and `examples`.
    """
    right = [{plain(reference) for reference in each} for each in references]
    frequency = {group: Counter[str]() for group in groups}
    for answers, group in zip(right, groups, strict=True):
        frequency[group].update(answers)
    best = {group: counts.most_common(1)[0][0] for group, counts in frequency.items()}

    hits: dict[str, list[bool]] = defaultdict(list)
    for text, answers, group in zip(texts, right, groups, strict=True):
        given = {"accuracy": text, "commonest": baseline.get(group), "best_constant": best[group]}
        for name, answer in given.items():
            if answer is not None:
                hits[name].append(plain(answer) in answers)
                if group:
                    hits[f"{name}/{group}"].append(hits[name][-1])
    return {**{name: float(np.mean(hits[name])) for name in sorted(hits)}, "examples": float(len(texts))}
