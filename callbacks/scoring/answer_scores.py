"""Scores of written answers: the soft accuracy of VQA (Antol et al. 2015, section 3)."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

PEOPLE = 3  # who must give an answer for it to be fully right

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
_ARTICLES = {"a", "an", "the"}
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"))
} | {"none": "0"}
# The contractions that the official evaluation knows; what lacks one apostrophe gets it back.
_CONTRACTED = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's how'd
how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock oughtn't
'ow's'at shan't should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd someone'd've someone'll
someone's something'd something'd've something'll that's there'd there'd've there're there's they'd they'd've they'll they're
they've 'twas wasn't we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've who'll who's
who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
she'd've we'd've
"""
# The contractions that the official evaluation knows; one that lacks an apostrophe gets it back.
_CONTRACTIONS = {
    right[: mark.start()] + right[mark.end() :]: right for right in _CONTRACTED.split() for mark in re.finditer("'", right)
}


def normalised(answer: str) -> str:
    """An answer as the official evaluation compares it: no punctuation, articles or case, numbers as digits."""
    text = " ".join(answer.split())
    in_number = re.search(r"\d,\d", text)
    bare = text
    for mark in _MARKS:
        beside_space = f"{mark} " in text or f" {mark}" in text
        bare = bare.replace(mark, "" if beside_space or in_number else " ")
    bare = re.sub(r"\.(?!\d)", "", bare)
    words = (_NUMBERS.get(word, word) for word in bare.lower().split())
    return " ".join(_CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def soft_accuracy(answer: str, right: Sequence[str]) -> float:
    """min(1, people who say the same / 3), as the mean over leaving out each of the people in turn, in [0, 1].

    With fewer than four right answers, where nobody can be left out, 1 if it is one of them.

    Args:
        answer: normalised.
        right: the answers of some people, normalised.
    """
    same, people = right.count(answer), len(right)
    if people <= PEOPLE:
        return float(same > 0)
    left_out_same, left_out_other = min(1.0, max(same - 1, 0) / PEOPLE), min(1.0, same / PEOPLE)
    return (same * left_out_same + (people - same) * left_out_other) / people


def answer_scores(
    texts: Sequence[str], references: Sequence[Sequence[str]], groups: Sequence[str], baseline: dict[str, str]
) -> dict[str, float]:
    """Soft accuracy of answers, overall and by question type, beside those of two constant answers.

    Args:
        texts: N answers.
        references: the right answers to each: ten people's, or one that is known to be right.
        groups: question type of each, or "".
        baseline: the commonest training answer of each type.

    Returns:
        `accuracy`; `commonest`, of the baseline, where there is one; `best_constant`, of the answer of each type that
        scores most on these very questions, which no constant answer can beat; each of them also by type, as in
        `accuracy/<type>`; all in [0, 1]; and `examples`.
    """
    right = [[normalised(reference) for reference in each] for each in references]
    worth = {group: Counter[str]() for group in groups}
    for answers, group in zip(right, groups, strict=True):
        worth[group].update({answer: soft_accuracy(answer, answers) for answer in set(answers)})
    best = {group: max(sorted(sums), key=sums.__getitem__) for group, sums in worth.items()}

    scores: dict[str, list[float]] = defaultdict(list)
    for text, answers, group in zip(texts, right, groups, strict=True):
        given = {"accuracy": text, "commonest": baseline.get(group), "best_constant": best[group]}
        for name, answer in given.items():
            if answer is not None:
                scores[name].append(soft_accuracy(normalised(answer), answers))
                if group:
                    scores[f"{name}/{group}"].append(scores[name][-1])
    return {**{name: float(np.mean(scores[name])) for name in sorted(scores)}, "examples": float(len(texts))}
