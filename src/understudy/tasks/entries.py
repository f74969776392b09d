"""Entries: the sparse soft target of a row that several people answered. Torch-free.

Rows are `[N E 3]` float32: (class index, soft target in [0, 1], credit in [0, 1]) of each class that somebody named, class -1
behind the last one. The soft target is what a model is trained on, the credit what saying that class earns. An unlabelled row
is NaN.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

NONE = (-1.0, 0.0, 0.0)
"""No entry."""


def entries_of(rows: Sequence[Any] | Array, entries: int, ids: Sequence[str]) -> NDArray[np.float32]:
    """Rows as `[N E 3]`, from such an array or from a list of at most E triples a row; None is NaN (unlabelled).

    ValueError names the row by its id.
    """
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        if rows.shape[1:] != (entries, 3):
            raise ValueError(f"targets of shape {rows.shape}; expected {(len(rows), entries, 3)}: class, soft target, credit")
        return rows.astype(np.float32, copy=False)
    found = np.full((len(rows), entries, 3), NONE, np.float32)
    for row, triples in enumerate(rows):
        if triples is None:
            found[row] = np.nan
            continue
        try:
            said = np.asarray(triples, np.float32).reshape(-1, 3) if len(triples) else found[row, :0]
        except (TypeError, ValueError):
            raise ValueError(f"target {triples!r} of row {ids[row]!r}: expected (class, soft target, credit) triples") from None
        if len(said) > entries:
            raise ValueError(f"{len(said)} entries in the target of row {ids[row]!r}; the task holds at most {entries}")
        found[row, : len(said)] = said
    return found


def check_entries(target: Array, classes: int) -> None:
    """ValueError for the first labelled row that is impossible."""
    index, shares = target[..., 0], target[..., 1:]
    here = index != -1
    faults = {
        "a number is missing": np.isnan(target).any(axis=(1, 2)),
        f"a class is no index of 0..{classes - 1} (-1 is no entry)": (here & ~is_class(index, classes)).any(axis=1),
        "a soft target or credit is outside of [0, 1]": (~((shares >= 0) & (shares <= 1))).any(axis=(1, 2)),
        "a class stands twice": repeated(index),
        "no class, yet a soft target or credit": (~here & (shares != 0).any(axis=2)).any(axis=1),
    }
    wrong = np.any(list(faults.values()), axis=0)
    if wrong.any():
        row = int(np.argmax(wrong))
        said = next(fault for fault, where in faults.items() if where[row])
        raise ValueError(f"entries {target[row].tolist()} of labelled row {row}: {said}")


def is_class(index: Array, classes: int) -> NDArray[np.bool_]:
    """Whether each number is the index of a class."""
    return (index >= 0) & (index < classes) & (index % 1 == 0)


def repeated(index: Array) -> NDArray[np.bool_]:
    """Rows of `[N E]` that name a class twice."""
    ordered = np.sort(index, axis=1)
    return ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)


def dense(target: Array, classes: int) -> NDArray[np.float32]:
    """Soft targets `[N C]` of entries `[N E 3]`, 0 for every class that nobody named."""
    found = np.zeros((len(target), classes), np.float32)
    rows, places = np.nonzero(target[..., 0] >= 0)
    found[rows, target[rows, places, 0].astype(np.intp)] = target[rows, places, 1]
    return found


def credit(said: Array, target: Array) -> NDArray[np.float64]:
    """What saying class `said` [N] earns in each row of `[N E 3]`; 0 where nobody named it."""
    return np.where(target[..., 0] == said[:, None], target[..., 2], 0.0).sum(axis=1, dtype=np.float64)
