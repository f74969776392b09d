"""Answers: what a graph says of some rows, and how that reads as columns of a table. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.artifact.confidence import NOTHING, Wish
from understudy.artifact.contract import Contract
from understudy.prepare.frames import Answer, Answers


@dataclass(frozen=True, eq=False)
class Predicted:
    """values: `[N]` in the target's unit, class probabilities `[N C]`, or an embedding a branch `[N M D]`.

    They are NaN where not `seen`, and an embedding where a row lacks its branch.

    seen: the row has at least one modality of the student; its share is the coverage.
    """

    values: NDArray[np.floating[Any]]
    seen: NDArray[np.bool_]


def whole(parts: Sequence[Predicted]) -> Predicted:
    """What was said of some rows and then of others; at least one part."""
    return Predicted(np.concatenate([part.values for part in parts]), np.concatenate([part.seen for part in parts]))


def columns_of(contract: Contract, predicted: Predicted, wish: Wish = NOTHING) -> Answers:
    """Predictions as columns: the number, the likeliest class (or place) and its probability, or one embedding a branch.

    With classes or choices that exclude each other there is one probability column for each of them. A wish adds `low` and `high`
    of a number, or `in_set_{class}`, and takes away predictions that are less sure than that.
    """
    values = predicted.values
    if contract.branches:
        places = {f"embedding_{b}": values[:, at] for at, b in enumerate(contract.branches)}
        return {name: Answer(vectors, some(np.asarray(np.isnan(vectors).any(axis=1)))) for name, vectors in places.items()}
    absent = some(~predicted.seen)
    sure = contract.confidence
    if values.ndim == 1:
        ends = sure.interval(values, wish.coverage, contract.task) if sure and wish.coverage else ()
        return {name: Answer(each, absent) for name, each in zip(("prediction", "low", "high"), (values, *ends), strict=False)}
    best = values.argmax(axis=1)
    words = contract.classes or range(contract.choices)
    silent = some(~predicted.seen | (values.max(axis=1) < wish.least)) if wish.least else absent
    said = {"prediction": Answer(np.array(words, dtype=object)[best] if contract.classes else best, silent)}
    if contract.apart:
        return said | {"probability": Answer(values[np.arange(len(best)), best], absent)}
    said |= {name: Answer(share, absent) for name, share in zip(contract.shares, values.T, strict=True)}
    if sure and wish.coverage:
        sets = sure.sets(values, wish.coverage)
        said |= {f"in_set_{word}": Answer(inside, absent) for word, inside in zip(words, sets.T, strict=True)}
    return said


def some(rows: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """Themselves, if any of them is true."""
    return rows if rows.any() else None


def joined(parts: Sequence[Answers]) -> Answers:
    """The answers to some rows and then to others; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return {
        name: Answer(np.concatenate([p[name].values for p in parts]), some(np.concatenate([absent_of(p[name]) for p in parts])))
        for name in parts[0]
    }


def answered(answers: Answers) -> int:
    """How many rows hold any prediction or embedding."""
    return int((~np.logical_and.reduce([absent_of(answer) for answer in answers.values()])).sum())


def absent_of(answer: Answer) -> NDArray[np.bool_]:
    """Of every row."""
    return np.zeros(len(answer.values), dtype=bool) if answer.absent is None else answer.absent
