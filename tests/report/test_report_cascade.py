"""The curve of a cascade: between student and teacher, by rows that the student is least sure of, counted by hand."""

import numpy as np
import pytest
from made_run import SENTIMENT, made_run

from understudy.evaluate.predictions import Predictions
from understudy.report.cascade import STEPS, curve, curves_of
from understudy.report.page import render
from understudy.report.recorded import read_run


def said(shares, target, ids=None):
    rows = len(target)
    values = np.array([[1 - share, share] for share in shares])
    names = np.array([f"r{n}" for n in range(rows)]) if ids is None else np.array(ids)
    ones = np.ones(rows, bool)
    return Predictions(names, values, np.array(target), ones, ones, None)


def drawn(student, teacher):
    found = curve(student, teacher)
    assert found is not None
    return found


def test_by_hand():
    # The student is right of the two that it is sure of; the teacher is right of all but the last of them.
    student = said([0.45, 0.55, 0.9, 0.1], [1, 0, 1, 0])
    teacher = said([0.9, 0.2, 0.8, 0.7], [1, 0, 1, 0])
    budgets, accuracy = drawn(student, teacher)
    assert len(budgets) == STEPS
    for budget, expected in ((0.0, 0.5), (0.26, 0.75), (0.5, 1.0), (0.76, 1.0), (1.0, 0.75)):
        assert accuracy[np.argmin(np.abs(budgets - budget))] == pytest.approx(expected)
    back = said([0.7, 0.8, 0.2, 0.9], [0, 1, 0, 1], ids=["r3", "r2", "r1", "r0"])
    np.testing.assert_array_equal(drawn(student, back)[1], accuracy)


def test_it_ends_at_both_and_stands_in_the_page(tmp_path):
    run = read_run(made_run(tmp_path / "run", seeds=2))
    for _, accuracy in curves_of(run):
        assert accuracy[0] < accuracy[-1]
    assert [each[1][-1] for each in curves_of(run)] == [
        pytest.approx((p.values.argmax(axis=1) == p.target).mean()) for p in run.predictions["teacher"]
    ]
    assert "Asking the teacher where the student is unsure" in render(run)


def test_numbers_have_none(tmp_path):
    run = read_run(made_run(tmp_path / "run", SENTIMENT, seeds=2))
    assert curves_of(run) == []
    assert "Asking the teacher" not in render(run)
