"""Plan: what is allowed, and the rates that it makes."""

import math
from typing import Any

import pytest

from understudy.training.fit import Plan


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"accumulate": 0},
        {"rate": -1.0},
        {"rate": math.nan},
        {"pretrained_rate": math.inf},
        {"weight_decay": -0.1},
        {"warmup": 1.5},
        {"clip": 0.0},
        {"patience": 0},
    ],
)
def test_a_plan_says_what_is_allowed(wrong: dict[str, Any]):
    with pytest.raises(ValueError, match=f"plan.{next(iter(wrong))} is .*; allowed: "):
        Plan(**{"epochs": 3, **wrong})


def test_the_rate_rises_and_falls_as_the_closed_form_says():
    plan = Plan(epochs=1, warmup=0.2, schedule="linear")
    assert [round(plan.factor(step, 10), 6) for step in range(10)] == [0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125]
    cosine = Plan(epochs=1, warmup=0.0, schedule="cosine")
    assert [cosine.factor(step, 4) for step in range(4)] == pytest.approx([(1 + math.cos(math.pi * k / 4)) / 2 for k in range(4)])
    assert Plan(epochs=1, warmup=0.0, schedule="constant").factor(9, 10) == 1.0
    assert Plan(epochs=1, warmup=1.0).factor(9, 10) == 1.0


def test_an_unknown_schedule_is_refused():
    plan = Plan(epochs=1)
    object.__setattr__(plan, "schedule", "cosin")  # Past the type checker of the test run, which would refuse it first.
    with pytest.raises(ValueError, match=r"plan.schedule is 'cosin'; allowed: constant, linear, cosine"):
        plan.__post_init__()
