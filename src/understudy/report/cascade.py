"""Cascade: what the student's accuracy or error becomes as the rows that it is least sure of are handed to its teacher."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.predictions import Predictions
from understudy.report.numbers import label, plain, value
from understudy.report.recorded import Recorded
from understudy.report.svg import DISTILLED, MUTED, TEACHER, drawing, inline, new_figure
from understudy.report.words import unit
from understudy.tasks.calibration import LEAST, local_errors

Curve = NDArray[np.float64]
STEPS = 51
"""Budgets that are drawn, from no row to all."""


@dataclass(frozen=True, eq=False)
class Handed:
    """N rows that both see, from the one that the student is least sure of. sureness [N]: as `sureness_of`.

    worth [N + 1]: accuracy, or minus the mean absolute error, when the teacher answers none of them, the first, ..., all.
    """

    sureness: Curve
    worth: Curve

    @property
    def drawn(self) -> Curve:
        """Worth [STEPS] at budgets from none to all."""
        return self.worth[np.floor(np.linspace(0, 1, STEPS) * len(self.sureness)).astype(int)]

    def below(self, threshold: float) -> int:
        """How many rows the student is less sure of."""
        return int(np.searchsorted(self.sureness, threshold))

    @property
    def knee(self) -> float:
        """The sureness below which handing over is furthest ahead of handing over as many rows at random; -inf where it never is.

        Rows of equal sureness go together.
        """
        ahead = self.worth - np.linspace(self.worth[0], self.worth[-1], len(self.worth))
        bounds = np.append(self.sureness, np.inf)
        apart = np.append(True, np.diff(bounds) > 0)
        best = int(np.argmax(np.where(apart, ahead, -np.inf)))
        return float(bounds[best]) if ahead[best] > 0 else -np.inf


@dataclass(frozen=True)
class Choice:
    """What validation rows chose, and what that is worth on test rows; means over seeds. worth: student, cascade, teacher.

    threshold: the mean over the seeds that choose one, -inf where none does.
    """

    threshold: float
    share: float
    worth: tuple[float, float, float]


def curves_of(run: Recorded) -> list[Handed]:
    """Of each seed that both have, on test rows. None of tasks without sureness."""
    return [test for _, test in pairs_of(run) if test]


def pairs_of(run: Recorded) -> list[tuple[Handed | None, Handed | None]]:
    """Of each seed that both have: validation rows, where the run kept them, and test rows."""
    if run.results["task"]["kind"] not in ("classification", "choice", "regression"):
        return []
    said, kept = ([each.get(name, ()) for name in ("distilled", "teacher")] for each in (run.predictions, run.validation))
    found = []
    for place, (student, teacher) in enumerate(zip(*said, strict=False)):
        ours, theirs = (each[place] if place < len(each) else None for each in kept)
        valid = handed(ours, theirs, ours) if ours and theirs else None
        found.append((valid, handed(student, teacher, ours)))
    return found


def sureness_of(student: Predictions, kept: Predictions | None) -> Curve | None:
    """[N]: the likeliest class's probability, or minus the error that validation rows of like predictions had.

    None of numbers without enough validation rows to tell predictions apart.
    """
    if student.values.ndim > 1:
        return student.values.max(axis=1).astype(np.float64)
    rows = None if kept is None else kept.take(kept.seen & kept.has_target)
    if rows is None or len(rows) < 2 * LEAST:
        return None
    edges, spread = local_errors(rows.values, np.abs(rows.values - rows.target))
    return -np.array(spread)[np.searchsorted(edges, student.values)]


def handed(student: Predictions, teacher: Predictions, kept: Predictions | None = None) -> Handed | None:
    """None where they see no labelled row both, or nothing is known of how sure the student is. kept: as `sureness_of`."""
    teacher, sureness = teacher.ordered(student.id), sureness_of(student, kept)
    both = np.flatnonzero(student.seen & teacher.seen & student.has_target)
    if not len(both) or sureness is None:
        return None
    order = both[np.argsort(sureness[both], kind="stable")]
    ours, theirs = (worth_of(each.values[order], student.target[order]) for each in (student, teacher))
    # After k rows were handed over: the teacher's of those, the student's of the others.
    total = np.concatenate([[0], np.cumsum(theirs)]) + ours.sum() - np.concatenate([[0], np.cumsum(ours)])
    return Handed(sureness[order], total / len(both))


def worth_of(values: NDArray[Any], target: NDArray[Any]) -> Curve:
    """Of each answer: 1 where the class is right, or minus the absolute error."""
    return (values.argmax(axis=1) == target).astype(np.float64) if values.ndim > 1 else -np.abs(values - target)


def chosen(run: Recorded) -> Choice | None:
    """The threshold that validation rows choose, by `knee`; None of runs without enough of them."""
    pairs = [(valid.knee, test) for valid, test in pairs_of(run) if valid and test and len(valid.sureness) >= LEAST]
    if not pairs:
        return None
    counts = [test.below(knee) for knee, test in pairs]
    share = float(np.mean([count / len(test.sureness) for count, (_, test) in zip(counts, pairs, strict=True)]))
    ends = [(test.worth[0], test.worth[n], test.worth[-1]) for n, (_, test) in zip(counts, pairs, strict=True)]
    student, cascade, teacher = np.mean(ends, axis=0).tolist()
    surest = 1.0 if run.results["task"]["kind"] != "regression" else 0.0
    knees = [min(knee, surest) for knee, _ in pairs if knee > -np.inf]
    return Choice(float(np.mean(knees)) if knees else -np.inf, share, (student, cascade, teacher))


def sentence(run: Recorded, choice: Choice) -> str:
    """The choice in words."""
    if not choice.share:
        return "On validation rows handing over is nowhere better than at random, so they choose no threshold."
    numbers = run.results["task"]["kind"] == "regression"
    metric, sign, named = ("mae", -1, unit(run)) if numbers else ("accuracy", 1, "")
    rule = f"whose expected error is above {plain(-choice.threshold)}{named}"
    rule = rule if numbers else f"whose likeliest class gets less than {value(metric, choice.threshold, digits=0)}"
    student, cascade, teacher = (value(metric, sign * each, digits=1) + named for each in choice.worth)
    return (
        f"The threshold is chosen on validation rows, where the line is furthest ahead of the dashed one: rows {rule} are handed "
        f"over. Of the test rows that is {value('accuracy', choice.share, digits=0)}, and the {label(metric)} becomes {cascade} "
        f"(student alone {student}, teacher alone {teacher}): the open mark."
    )


def cascade_figure(run: Recorded) -> str:
    """Mean over seeds, between the student alone and the teacher alone."""
    budgets, worth = np.linspace(0, 100, STEPS), np.mean([each.drawn for each in curves_of(run)], axis=0)
    choice, numbers = chosen(run), run.results["task"]["kind"] == "regression"
    named = f" ({unit(run).strip()})" if unit(run) else ""
    scale, name = (-1, f"mean absolute error{named}") if numbers else (100, "accuracy (%)")
    with drawing("cascade"):
        figure, (axes, *_) = new_figure(3.2)
        axes.plot([0, 100], scale * worth[[0, -1]], color=MUTED, linewidth=1, dashes=(3, 3))
        axes.plot(budgets, scale * worth, color=DISTILLED, linewidth=2.5)
        ends: Any = (([0], worth[:1], DISTILLED), ([100], worth[-1:], TEACHER))
        for at, height, colour in ends:
            axes.plot(at, scale * height, "o", color=colour, markersize=8, clip_on=False)
        if choice:
            mark: Any = {"color": DISTILLED, "markersize": 8, "markerfacecolor": "none", "markeredgewidth": 2}
            axes.plot([100 * choice.share], [scale * choice.worth[1]], "D", clip_on=False, **mark)
        axes.set(xlim=(0, 100), xlabel="rows that the teacher answers (%)", ylabel=name)
        return inline(figure)
