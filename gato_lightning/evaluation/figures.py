"""Figures of scores, drawn by matplotlib."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from gato_lightning.evaluation.scores import TaskScore, by_domain, counted_scores, interquartile_mean, tasks_above

PERCENT = range(101)


def tasks_above_figure(scores: Sequence[TaskScore]) -> Figure:
    """How many tasks are above each percentage of expert, by domain, one upon the other (Gato, figure 5)."""
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    groups = by_domain(scores)
    counts = [tasks_above(group, PERCENT) for group in groups.values()]
    if counts:
        axes.stackplot(PERCENT, counts, labels=list(groups), step="post", alpha=0.85)
    total = len(counted_scores(scores))
    axes.set(xlim=(0, 100), ylim=(0, max(total, 1)), xlabel="score, % of expert", ylabel="tasks at or above it")
    axes.set_title(f"{int(tasks_above(scores, [50])[0])} of {total} tasks at 50% of expert or above", fontsize=10)
    axes.legend(loc="lower left", fontsize=8)
    return figure


def runs_figure(runs: Mapping[str, Sequence[TaskScore]]) -> Figure:
    """Interquartile means by domain with 95% intervals, the runs side by side."""
    domains = list(dict.fromkeys(domain for scores in runs.values() for domain in by_domain(scores)))
    figure = Figure(figsize=(6.4, 0.8 + 0.5 * len(domains) * max(1, 0.6 * len(runs))), layout="constrained")
    axes = figure.subplots()
    for place, (name, scores) in enumerate(runs.items()):
        groups = by_domain(scores)
        found = {i: interquartile_mean(groups[domain]) for i, domain in enumerate(domains) if domain in groups}
        known = {i: one for i, one in found.items() if one is not None}
        values = np.array([one.value for one in known.values()])
        ends = np.array(
            [(one.value if one.low is None else one.low, one.value if one.high is None else one.high) for one in known.values()]
        )
        around = np.abs(ends.reshape(-1, 2) - values[:, None]).T
        rows = np.array(list(known)) + (place - (len(runs) - 1) / 2) * 0.8 / max(len(runs), 1)
        axes.errorbar(values, rows, xerr=around, fmt="o", capsize=3, label=name)
    axes.set_yticks(range(len(domains)), domains)
    axes.invert_yaxis()
    axes.axvline(0.0, color="grey", linewidth=0.8, linestyle=":")
    axes.axvline(1.0, color="grey", linewidth=0.8, linestyle=":")
    axes.set_xlabel("interquartile mean score (0: random, 1: expert)")
    axes.legend(fontsize=8)
    return figure


def curves_figure(title: str, curves: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> Figure:
    """Lines over training steps, one a run: (steps, values)."""
    figure = Figure(figsize=(4.4, 2.8), layout="constrained")
    axes = figure.subplots()
    for name, (steps, values) in curves.items():
        axes.plot(steps, values, label=name, linewidth=1.2, marker="o" if len(steps) < 12 else None, markersize=3)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("step", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=7)
    return figure
