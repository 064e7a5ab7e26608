"""Means by group: of what came since the last reset, and none of what did not come."""

import pytest
import torch

from gato_lightning.training.loss_means import GroupMeans, LossMeans, TokenMean


def test_means_by_group():
    means = GroupMeans(["a", "b", "c"])
    means.update(torch.tensor([0, 2, 0]), torch.tensor([1.0, 5.0, 2.0]))
    means.update(torch.tensor([2]), torch.tensor([1.0]))
    assert means.compute() == {"a": 1.5, "c": 3.0}


def test_a_group_that_is_absent_since_the_reset_has_no_mean():
    means = GroupMeans(["a", "b"])
    means.update(torch.tensor([0, 1]), torch.tensor([1.0, 2.0]))
    assert means.compute() == pytest.approx({"a": 1.0, "b": 2.0})
    means.reset()
    means.update(torch.tensor([1]), torch.tensor([4.0]))
    assert means.compute() == {"b": 4.0}


def test_long_sums_stay_exact():
    means, group = GroupMeans(["a"]), torch.zeros(20_000, dtype=torch.int64)
    for _ in range(100):
        means.update(group, torch.full((20_000,), 0.1))
    assert means.compute()["a"] == pytest.approx(0.1, rel=1e-3)


def test_sums_as_plain_values_are_added_by_name():
    means = LossMeans(["a", "b"])
    means.by_task.update(torch.tensor([0, 1, 1]), torch.tensor([1.0, 2.0, 4.0]))
    resumed = LossMeans(["b", "c"])
    resumed.by_task.update(torch.tensor([0]), torch.tensor([6.0]))
    resumed.add_named(means.named(means.sums()))
    assert resumed.take("train") == {"train/loss/b": 4.0}
    assert means.by_task.compute() == {"a": 1.0, "b": 3.0}


def test_sums_stay_exact_in_a_module_of_half_precision():
    module = torch.nn.ModuleDict({"losses": LossMeans(["a"]), "all": TokenMean()}).to(torch.bfloat16)
    for _ in range(1000):
        module["losses"].by_task.update(torch.tensor([0]), torch.tensor([1.0], dtype=torch.bfloat16))
        module["all"].update(torch.tensor([1.0], dtype=torch.bfloat16))
    assert module["losses"].by_task.count.tolist() == [1000.0]
    assert module["all"].weight == 1000.0
