"""Computes the shares of tasks from the weights of tasks and domains."""

from collections.abc import Mapping

import numpy as np

from gato_lightning.errors import UserError, unknown


def shares(weights: Mapping[str, float], domains: Mapping[str, str], domain_weights: Mapping[str, float]) -> np.ndarray:
    """Returns the share of each task; the shares sum to 1.

    Args:
        weights: relative weight of each task, 0 or more.
        domains: domain of each task.
        domain_weights: by domain, the sum to which the weights of its tasks are scaled, 0 or more; in other domains the
            weights stay as they are.

    Returns:
        Array of shape (tasks,), float64.

    Raises:
        UserError: if there is no task, no task has a named domain, or all weights are 0.
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
