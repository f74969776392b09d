"""Cascade: what the student's accuracy becomes as the rows that it is least sure of are handed to its teacher."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.predictions import Predictions
from understudy.report.recorded import Recorded
from understudy.report.svg import DISTILLED, MUTED, TEACHER, drawing, inline, new_figure

Curve = NDArray[np.float64]
STEPS = 51
"""Budgets that are drawn, from no row to all."""
LEAST = 20
"""Validation rows below which they choose nothing."""


@dataclass(frozen=True, eq=False)
class Handed:
    """N rows that both see, from the one that the student is least sure of. sureness [N]: its likeliest class's probability.

    accuracy [N + 1]: when the teacher answers none of them, the first, the first two, up to all.
    """

    sureness: Curve
    accuracy: Curve

    @property
    def drawn(self) -> Curve:
        """Accuracy [STEPS] at budgets from none to all."""
        return self.accuracy[np.floor(np.linspace(0, 1, STEPS) * len(self.sureness)).astype(int)]

    def below(self, threshold: float) -> int:
        """How many rows the student is less sure of."""
        return int(np.searchsorted(self.sureness, threshold))

    @property
    def knee(self) -> float:
        """The sureness below which handing over is furthest ahead of handing over as many rows at random; 0 where it never is."""
        chord = np.linspace(self.accuracy[0], self.accuracy[-1], len(self.accuracy))
        best = int(np.argmax(self.accuracy - chord))
        return float(np.append(self.sureness, np.inf)[best]) if best else 0.0


@dataclass(frozen=True)
class Choice:
    """What validation rows chose, and what that is worth on test rows; means over seeds. accuracy: student, cascade, teacher."""

    threshold: float
    share: float
    accuracy: tuple[float, float, float]


def curves_of(run: Recorded) -> list[Handed]:
    """Of each seed that both have, on test rows. None of tasks without probabilities of classes."""
    return [found for found in handed_of(run, run.predictions) if found]


def handed_of(run: Recorded, said: Mapping[str, Sequence[Predictions]]) -> list[Handed | None]:
    """Of each seed that both have."""
    if run.results["task"]["kind"] not in ("classification", "choice"):
        return []
    return [handed(*pair) for pair in zip(said.get("distilled", ()), said.get("teacher", ()), strict=False)]


def handed(student: Predictions, teacher: Predictions) -> Handed | None:
    """None where they see no labelled row both."""
    teacher = teacher.ordered(student.id)
    both = np.flatnonzero(student.seen & teacher.seen & student.has_target)
    if not len(both):
        return None
    target, sureness = student.target[both], student.values[both].max(axis=1)
    order = np.argsort(sureness, kind="stable")
    ours, theirs = ((each.values[both].argmax(axis=1) == target)[order] for each in (student, teacher))
    # After k rows were handed over: the teacher's of those, the student's of the others.
    right = np.concatenate([[0], np.cumsum(theirs)]) + ours.sum() - np.concatenate([[0], np.cumsum(ours)])
    return Handed(sureness[order].astype(np.float64), right / len(both))


def chosen(run: Recorded) -> Choice | None:
    """The threshold that validation rows choose, by `knee`; None of runs without enough of them."""
    pairs = [
        (valid.knee, test)
        for valid, test in zip(handed_of(run, run.validation), handed_of(run, run.predictions), strict=False)
        if valid and test and len(valid.sureness) >= LEAST
    ]
    if not pairs:
        return None
    counts = [test.below(knee) for knee, test in pairs]
    share = float(np.mean([count / len(test.sureness) for count, (_, test) in zip(counts, pairs, strict=True)]))
    ends = [(test.accuracy[0], test.accuracy[n], test.accuracy[-1]) for n, (_, test) in zip(counts, pairs, strict=True)]
    student, cascade, teacher = np.mean(ends, axis=0).tolist()
    return Choice(float(np.mean([min(knee, 1.0) for knee, _ in pairs])), share, (student, cascade, teacher))


def cascade_figure(run: Recorded) -> str:
    """Mean over seeds, between the student alone and the teacher alone."""
    budgets, accuracy = np.linspace(0, 1, STEPS), np.mean([each.drawn for each in curves_of(run)], axis=0)
    choice = chosen(run)
    with drawing("cascade"):
        figure, (axes, *_) = new_figure(3.2)
        axes.plot([0, 100], 100 * accuracy[[0, -1]], color=MUTED, linewidth=1, dashes=(3, 3))
        axes.plot(100 * budgets, 100 * accuracy, color=DISTILLED, linewidth=2.5)
        ends: Any = (([0], accuracy[:1], DISTILLED), ([100], accuracy[-1:], TEACHER))
        for at, height, colour in ends:
            axes.plot(at, 100 * height, "o", color=colour, markersize=8, clip_on=False)
        if choice:
            mark: Any = {"color": DISTILLED, "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 2}
            axes.plot([100 * choice.share], [100 * choice.accuracy[1]], "D", clip_on=False, **mark)
        axes.set(xlim=(0, 100), xlabel="rows that the teacher answers (%)", ylabel="accuracy (%)")
        return inline(figure)
