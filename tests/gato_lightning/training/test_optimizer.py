"""The learning rate's schedule: linear warm-up, a cosine, and never up again."""

import math

import pytest
from torch import nn

from gato_lightning.training.optimizer import OptimizerConfig, make_optimizer

CONFIG = OptimizerConfig(learning_rate=1e-3, warmup_steps=10, warmup_from=1e-7, final_fraction=0.1)


def make(total):
    return make_optimizer(nn.Linear(2, 2), CONFIG, total)


def rates(optimizer, schedule, steps):
    """The rate of each of the next steps."""
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


def test_warm_up_then_cosine():
    found = rates(*make(100), 101)
    assert found[0] == pytest.approx(1e-7)
    assert found[5] == pytest.approx((1e-7 + 1e-3) / 2)
    assert found[10] == max(found) == pytest.approx(1e-3)
    assert found[55] == pytest.approx(1e-4 + 9e-4 * (1 + math.cos(math.pi / 2)) / 2)
    assert found[100] == pytest.approx(1e-4)


@pytest.mark.parametrize("stop", [5, 40, 100, 120])
@pytest.mark.parametrize("new_total", [60, 100, 300])
def test_a_resumed_run_never_rises_and_ends_at_the_new_end(stop, new_total):
    optimizer, schedule = make(100)
    rates(optimizer, schedule, stop)
    resumed, continued = make(new_total)
    resumed.load_state_dict(optimizer.state_dict())
    continued.load_state_dict(schedule.state_dict())
    before = optimizer.param_groups[0]["lr"]
    found = rates(resumed, continued, max(1, new_total + 1 - stop))
    assert found[0] <= before
    assert found[0] == before or new_total < 100
    behind = found[max(0, 10 - stop) :]
    assert behind == sorted(behind, reverse=True)
    assert behind[-1] == pytest.approx(1e-4) or new_total < stop


def test_the_same_number_of_steps_goes_on_to_the_digit():
    whole = rates(*make(100), 100)
    optimizer, schedule = make(100)
    rates(optimizer, schedule, 37)
    resumed, continued = make(100)
    resumed.load_state_dict(optimizer.state_dict())
    continued.load_state_dict(schedule.state_dict())
    assert rates(resumed, continued, 63) == whole[37:]


def test_settings_of_a_resumed_run_are_those_that_it_is_given():
    optimizer, schedule = make(100)
    rates(optimizer, schedule, 37)
    other = OptimizerConfig(learning_rate=2e-3, warmup_steps=10, warmup_from=1e-7, weight_decay=0.3, betas=(0.8, 0.9))
    fresh, resumed = (make_optimizer(nn.Linear(2, 2), other, 100) for _ in range(2))
    resumed[0].load_state_dict(optimizer.state_dict())
    resumed[1].load_state_dict(schedule.state_dict())
    assert [group["weight_decay"] for group in resumed[0].param_groups] == [0.3, 0.0]
    assert resumed[0].param_groups[0]["betas"] == (0.8, 0.9)
    assert rates(*resumed, 63) == rates(*fresh, 100)[37:]
