"""The curve of a cascade: between student and teacher, by rows that the student is least sure of, counted by hand."""

import numpy as np
import pytest
from made_run import DIGITS, SENTIMENT, made_predictions, made_run

from understudy.evaluate.predictions import Predictions
from understudy.report.cascade import STEPS, chosen, curves_of, handed, pairs_of
from understudy.report.page import render
from understudy.report.recorded import read_run


def said(shares, target, ids=None):
    rows = len(target)
    values = np.array([[1 - share, share] for share in shares])
    names = np.array([f"r{n}" for n in range(rows)]) if ids is None else np.array(ids)
    ones = np.ones(rows, bool)
    return Predictions(names, values, np.array(target), ones, ones, None)


def test_by_hand():
    # The student is right of the two that it is sure of; the teacher is right of all but the last of them.
    student = said([0.45, 0.55, 0.9, 0.1], [1, 0, 1, 0])
    teacher = said([0.9, 0.2, 0.8, 0.7], [1, 0, 1, 0])
    accuracy, budgets = handed(student, teacher).drawn, np.linspace(0, 1, STEPS)
    for budget, expected in ((0.0, 0.5), (0.26, 0.75), (0.5, 1.0), (0.76, 1.0), (1.0, 0.75)):
        assert accuracy[np.argmin(np.abs(budgets - budget))] == pytest.approx(expected)
    back = said([0.7, 0.8, 0.2, 0.9], [0, 1, 0, 1], ids=["r3", "r2", "r1", "r0"])
    np.testing.assert_array_equal(handed(student, back).drawn, accuracy)


def test_it_ends_at_both_and_stands_in_the_page(tmp_path):
    run = read_run(made_run(tmp_path / "run", seeds=2))
    assert all(each.drawn[0] < each.drawn[-1] for each in curves_of(run))
    assert [each.drawn[-1] for each in curves_of(run)] == [
        pytest.approx((p.values.argmax(axis=1) == p.target).mean()) for p in run.predictions["teacher"]
    ]
    assert "Asking the teacher where the student is unsure" in render(run)


def test_validation_rows_choose_the_threshold_by_hand():
    # The teacher is right of the two least sure rows, wrong of the surest, and as the student of the rest.
    student = said([0.55, 0.4, 0.8, 0.1, 0.95], [0, 1, 1, 0, 1])
    teacher = said([0.1, 0.8, 0.8, 0.1, 0.2], [0, 1, 1, 0, 1])
    found = handed(student, teacher)
    np.testing.assert_allclose(found.sureness, [0.55, 0.6, 0.8, 0.9, 0.95])
    np.testing.assert_allclose(found.worth, [0.6, 0.8, 1.0, 1.0, 1.0, 0.8])
    assert found.knee == pytest.approx(0.8)
    assert found.below(found.knee) == 2
    # A teacher that knows nothing more is never worth it.
    assert handed(student, student).knee == -np.inf


def test_the_choice_stands_in_the_page(tmp_path):
    folder = made_run(tmp_path / "run", seeds=2)
    assert chosen(read_run(folder)) is None
    for system, skill in (("teacher", 0.85), ("distilled", 0.6)):
        for seed in range(2):
            made_predictions(DIGITS, skill, seed + 10, rows=120).save(folder / system / f"seed-{seed}" / "validation.npz")
    run = read_run(folder)
    found = chosen(run)
    student, cascade, teacher = found.worth
    assert 0 < found.share < 1
    assert cascade > student + found.share * (teacher - student)
    page = render(run)
    assert f"--budget {found.share:.2f}" in page
    assert f"the accuracy becomes {100 * cascade:.1f}\u202f%" in page


def test_a_seed_that_hands_nothing_over_leaves_the_threshold_to_the_others(tmp_path):
    folder = made_run(tmp_path / "run", seeds=2)
    for seed, skill in ((0, 0.85), (1, 0.6)):
        for system, each in (("teacher", skill), ("distilled", 0.6)):
            made_predictions(DIGITS, each, seed + 10, rows=120).save(folder / system / f"seed-{seed}" / "validation.npz")
    # The teacher of the second seed answers as its student does.
    run = read_run(folder)
    (valid, _), (same, _) = pairs_of(run)
    assert same.knee == -np.inf
    found = chosen(run)
    assert found.threshold == valid.knee
    assert 0 < found.share < 1
    assert f"gets less than {100 * valid.knee:.0f}\u202f%" in render(run)


def test_numbers_are_unsure_where_validation_rows_erred(tmp_path):
    folder = made_run(tmp_path / "run", SENTIMENT, seeds=2)
    # Without validation rows nobody knows.
    assert curves_of(read_run(folder)) == []
    assert "Asking the teacher" not in render(read_run(folder))
    rng = np.random.default_rng(0)
    for system, error in (("distilled", 1.0), ("teacher", 0.1)):
        for seed in range(2):
            for name, rows in (("validation", 200), ("predictions", 240)):
                target = np.random.default_rng([seed, rows]).uniform(-3, 3, rows)
                # The student errs where the truth is high, and says so by what it predicts.
                off = error * rng.normal(size=rows) * (np.where(target > 1, 1.0, 0.05) if system == "distilled" else 1)
                ids, ones = np.array([f"r{n}" for n in range(rows)]), np.ones(rows, bool)
                Predictions(ids, target + off, target, ones, ones, None).save(folder / system / f"seed-{seed}" / f"{name}.npz")
    run = read_run(folder)
    found = chosen(run)
    student, cascade, teacher = found.worth
    assert found.share == pytest.approx(1 / 3, abs=0.12)
    assert cascade > student + 0.8 * (teacher - student)
    page = render(run)
    assert "rows whose expected error is above" in page
    assert f"the mean absolute error becomes {-cascade:.3f} points" in page
