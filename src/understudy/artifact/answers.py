"""Answers: what a graph says of some rows, and how that reads as columns of a table. No torch."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.artifact.contract import Contract


@dataclass(frozen=True, eq=False)
class Predicted:
    """values: `[N]` in the target's unit, class probabilities `[N C]`, or an embedding a branch `[N M D]`.

    They are NaN where not `seen`, and an embedding where a row lacks its branch.

    seen: the row has at least one modality of the student; its share is the coverage.
    """

    values: NDArray[np.floating[Any]]
    seen: NDArray[np.bool_]


def as_table(contract: Contract, predicted: Predicted) -> pa.Table:
    """Predictions as columns: the number, the likeliest class (or place) and its probability, or one embedding a branch.

    With classes or choices that exclude each other there is one probability column for each of them.
    """
    if contract.branches:
        places = {f"embedding_{b}": predicted.values[:, at] for at, b in enumerate(contract.branches)}
        return pa.table({name: lists(values) for name, values in places.items()})
    absent = ~predicted.seen
    if predicted.values.ndim == 1:
        return pa.table({"prediction": pa.array(predicted.values, mask=absent)})
    best = predicted.values.argmax(axis=1)
    words = pa.array(contract.classes or range(contract.choices))
    said = words.take(pa.array(best, mask=absent))
    if contract.apart:
        probability = predicted.values[np.arange(len(best)), best]
        return pa.table({"prediction": said, "probability": pa.array(probability, mask=absent)})
    shares = {f"probability_{c}": pa.array(v, mask=absent) for c, v in zip(words, predicted.values.T, strict=True)}
    return pa.table({"prediction": said} | shares)


def lists(values: NDArray[np.floating[Any]]) -> pa.FixedSizeListArray:
    """Rows of `[N D]` as lists, null where they are NaN."""
    lacking = pa.array(np.isnan(values).any(axis=1))
    return pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), values.shape[1], mask=lacking)


def answered(answers: pa.Table) -> int:
    """How many rows of `Artifact.predict` hold any prediction or embedding."""
    return int(np.any([column.is_valid().to_numpy() for column in answers.columns], axis=0).sum())
