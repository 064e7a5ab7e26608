"""Weights of tasks and of domains, normalised once."""

from collections.abc import Mapping

import numpy as np

from gato_lightning.errors import UserError, unknown


def shares(weights: Mapping[str, float], domains: Mapping[str, str], domain_weights: Mapping[str, float]) -> np.ndarray:
    """The share of each task in the whole, which sums to 1.

    Args:
        weights: of the tasks, relative, 0 or more.
        domains: of the tasks.
        domain_weights: by domain, what the weights of its tasks are scaled to sum to, 0 or more; a domain that is not named
            keeps them.

    Returns:
        (tasks,) float64.

    Raises:
        UserError: no task, a domain that no task has, or nothing but weights of 0.
    """
    if not weights:
        raise UserError("data.tasks: empty, expected at least one task")
    scale = dict.fromkeys(domains.values(), 1.0)
    for domain, weight in domain_weights.items():
        if domain not in scale:
            raise unknown("domain in data.domain_weights", domain, scale)
        total = sum(weights[task] for task in weights if domains[task] == domain)
        if total == 0:
            raise UserError(f"data.domain_weights.{domain}: all weights of its tasks are 0")
        scale[domain] = weight / total
    scaled = np.array([weight * scale[domains[task]] for task, weight in weights.items()])
    if scaled.sum() == 0:
        raise UserError("data.tasks: all weights are 0")
    return scaled / scaled.sum()
