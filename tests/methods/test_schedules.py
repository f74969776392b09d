"""Schedules: where they begin, where they end, and that nothing leaves [0, 1]."""

import math

import pytest

from understudy.methods.schedules import constant, decay, gated, late_ramp, ramp


def test_each_begins_and_ends_where_it_says():
    assert {constant(step) for step in range(5)} == {1.0}
    assert [ramp(step, steps=4) for step in (0, 1, 2, 4, 9)] == [0, 0.25, 0.5, 1, 1]
    assert ramp(0, steps=0) == 1
    late = [late_ramp(step, steps=40) for step in range(60)]
    assert late == sorted(late)
    assert (late[0], late[20], late[40], late[59]) == (pytest.approx(0.0067379, rel=1e-4), pytest.approx(math.exp(-1.25)), 1, 1)
    assert late_ramp(0, steps=0) == 1
    assert [decay(step, half_life=10) for step in (0, 10, 30)] == [1, 0.5, 0.125]


@pytest.mark.parametrize(
    ("scores", "factor"),
    [([], 1), ([0.5], 1), ([0.5, 0.4], 1), ([0.5, 0.4, 0.5], 0), ([0.5, 0.4, 0.6], 1), ([0.5, 0.4, 0.3, 0.9], 0)],
)
def test_the_gate_shuts_once_nothing_became_better_and_stays_shut(scores, factor):
    assert gated(scores, patience=2, higher_is_better=True) == factor
    assert gated([-score for score in scores], patience=2, higher_is_better=False) == factor
