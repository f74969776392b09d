"""Cascade: what the student's accuracy becomes as the rows that it is least sure of are handed to its teacher."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.predictions import Predictions
from understudy.report.figures import new_figure
from understudy.report.recorded import Recorded
from understudy.report.svg import DISTILLED, MUTED, TEACHER, drawing, inline

Curve = NDArray[np.float64]
STEPS = 51
"""Budgets that are drawn, from no row to all."""


def curves_of(run: Recorded) -> list[tuple[Curve, Curve]]:
    """Of each seed that both have: budgets, and the accuracy at each. None of tasks without probabilities of classes."""
    if run.results["task"]["kind"] not in ("classification", "choice"):
        return []
    pairs = zip(run.predictions.get("distilled", ()), run.predictions.get("teacher", ()), strict=False)
    return [found for student, teacher in pairs if (found := curve(student, teacher)) is not None]


def curve(student: Predictions, teacher: Predictions) -> tuple[Curve, Curve] | None:
    """Accuracy over rows that both see, by the share of them that the teacher answers: the student's least sure."""
    teacher = teacher.ordered(student.id)
    both = np.flatnonzero(student.seen & teacher.seen & student.has_target)
    if not len(both):
        return None
    target = student.target[both]
    order = np.argsort(student.values[both].max(axis=1), kind="stable")
    ours, theirs = ((each.values[both].argmax(axis=1) == target)[order] for each in (student, teacher))
    # After k rows were handed over: the teacher's of those, the student's of the others.
    right = np.concatenate([[0], np.cumsum(theirs)]) + ours.sum() - np.concatenate([[0], np.cumsum(ours)])
    budgets = np.linspace(0, 1, STEPS)
    return budgets, right[np.floor(budgets * len(both)).astype(int)] / len(both)


def cascade_figure(run: Recorded) -> str:
    """Mean over seeds, between the student alone and the teacher alone."""
    found = curves_of(run)
    budgets, accuracy = found[0][0], np.mean([each for _, each in found], axis=0)
    with drawing("cascade"):
        figure, (axes, *_) = new_figure(3.2)
        axes.plot([0, 100], 100 * accuracy[[0, -1]], color=MUTED, linewidth=1, dashes=(3, 3))
        axes.plot(100 * budgets, 100 * accuracy, color=DISTILLED, linewidth=2.5)
        ends: Any = (([0], accuracy[:1], DISTILLED), ([100], accuracy[-1:], TEACHER))
        for at, height, colour in ends:
            axes.plot(at, 100 * height, "o", color=colour, markersize=8, clip_on=False)
        axes.set(xlim=(0, 100), xlabel="rows that the teacher answers (%)", ylabel="accuracy (%)")
        return inline(figure)
