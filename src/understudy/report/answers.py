"""Answers: what the systems say of single classes and of single test rows, as tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.predictions import Predictions
from understudy.report.numbers import NONE, percent, plain, whole
from understudy.report.recorded import Recorded

MOST = 12
"""Classes that a page lists; of more, those with the most test rows."""
EXAMPLES = 5


@dataclass(frozen=True)
class ClassTable:
    """columns: systems. rows: of each class its name, its test rows, and what share of them each system finds.

    confusion: of the distilled student, a row a true class: names, and shares of its rows in percent with how dark each is
    drawn, 0 to 4; empty where classes were left out. left_out: how many.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, str, Sequence[str]]]
    names: Sequence[str]
    confusion: Sequence[tuple[str, Sequence[tuple[str, int]]]]
    left_out: int


def class_table(run: Recorded) -> ClassTable | None:
    """By class, all training runs together; None for other tasks, and where nobody's predictions were written."""
    if run.results["task"]["kind"] != "classification" or not run.predictions.get("distilled"):
        return None
    names = [str(name) for name in run.results["task"]["classes"]]
    found = {system: confusion(some, len(names)) for system, some in run.predictions.items() if some}
    own = found["distilled"]
    many = own.sum(axis=1) / len(run.predictions["distilled"])
    shown = sorted(np.argsort(-many, kind="stable")[:MOST].tolist())
    rows = []
    for c in filter(many.__getitem__, shown):
        shares = [shared(int(each[c, c]), int(each[c].sum())) for each in found.values()]
        rows.append((names[c], whole(many[c]), shares))
    whole_table = len(shown) == len(names)
    matrix = [(names[c], [cell(int(own[c, d]), int(own[c].sum())) for d in shown]) for c in shown] if whole_table else []
    return ClassTable(list(found), rows, [names[c] for c in shown], matrix, len(names) - len(shown))


def confusion(several: Sequence[Predictions], classes: int) -> NDArray[np.int64]:
    """[C C]: how often a row of the first class was taken for the second."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    for each in several:
        known = each.has_target & each.seen
        np.add.at(counts, (each.target[known].astype(int), each.values[known].argmax(axis=1)), 1)
    return counts


def shared(part: int, of: int) -> str:
    """A share in percent."""
    return percent(part / of) if of else NONE


def cell(part: int, of: int) -> tuple[str, int]:
    """A share, and how dark it is drawn; nothing is left empty."""
    share = part / of if of else 0.0
    return (percent(share) if part else "", int(np.ceil(4 * share)))


def example_rows(run: Recorded) -> tuple[list[str], list[tuple[str, str, list[str]]]]:
    """Systems; and of five test rows the id, the truth, and what the first training of each system answers.

    Two where distilling helped most, two where it hurt most, and the one in the middle. Nothing for other tasks.
    """
    first = {system: some[0] for system, some in run.predictions.items() if some}
    if not {"plain", "distilled"} <= set(first) or run.results["task"]["kind"] not in ("classification", "regression"):
        return [], []
    known = np.logical_and.reduce([each.has_target & each.seen for each in first.values()])
    first = {system: each.take(known) for system, each in first.items()}
    if len({tuple(each.id.tolist()) for each in first.values()}) > 1 or not known.any():
        return [], []
    gain = closeness(first["distilled"]) - closeness(first["plain"])
    order = np.argsort(-gain, kind="stable").tolist()
    chosen = list(dict.fromkeys([*order[:2], order[len(order) // 2], *order[-2:]]))[:EXAMPLES]
    classes = run.results["task"].get("classes", [])
    rows = [
        (
            str(first["plain"].id[row]),
            said(first["plain"].target[row], classes),
            [answer(e, row, classes) for e in first.values()],
        )
        for row in chosen
    ]
    return list(first), rows


def closeness(each: Predictions) -> NDArray[np.floating[Any]]:
    """How right each row is: the probability of the truth, or how far away a number is, negative."""
    if each.values.ndim == 1:
        return -np.abs(each.values - each.target)
    return each.values[np.arange(len(each)), each.target.astype(int)]


def answer(each: Predictions, row: int, classes: Sequence[Any]) -> str:
    """What a system says of a row."""
    if not len(classes):
        return plain(float(each.values[row]))
    best = int(each.values[row].argmax())
    return f"{classes[best]}, {percent(float(each.values[row][best]))}"


def said(target: Any, classes: Sequence[Any]) -> str:
    """The truth of a row."""
    return str(classes[int(target)]) if len(classes) else plain(float(target))
