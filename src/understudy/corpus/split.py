"""Split: which rows train, validate and test, and which train rows are labelled, as positions in a corpus."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.numbered import numbered

PARTS = ("train", "valid", "test", "labelled")
APART = PARTS[:3]
"""No row stands in two of them."""
Positions = NDArray[np.intp]


def _none() -> Positions:
    return np.zeros(0, np.intp)


@dataclass(frozen=True, eq=False)
class Split:
    """Row positions of each part. `valid` may be empty (a plan fixed in advance); `labelled` is the labelled part of `train`.

    group: whether groups were kept together, and are refused when they cross. seed: what it was drawn with, None if given.
    hash: SHA-256 over the ids of every part; filled when it is read from a corpus.
    """

    name: str
    train: Positions
    test: Positions
    labelled: Positions
    valid: Positions = field(default_factory=_none)
    group: bool = False
    seed: int | None = None
    hash: str = ""


@dataclass(frozen=True, eq=False)
class Rows:
    """What a split is held against: a corpus's fingerprint and, of each of its rows, id, group and whether it has a target."""

    fingerprint: str
    ids: NDArray[np.object_]
    groups: NDArray[np.object_] | None
    has_target: NDArray[np.bool_]

    @cached_property
    def group_numbers(self) -> NDArray[np.intp]:
        """[N], equal where groups are; -1 of a row that is a group of its own."""
        if self.groups is None:
            return np.full(len(self.ids), -1)
        return numbered(pa.array(self.groups, pa.large_string()))


def validate(split: Split, rows: Rows) -> None:
    """ValueError for the first thing that makes the split unusable."""
    said = f"split {split.name!r}"
    part = np.full(len(rows.ids), -1)
    for number, name in enumerate(APART):
        here = getattr(split, name)
        before = part[here]
        part[here] = number
        if (before >= 0).any() or np.count_nonzero(part == number) < len(here):
            before[np.setdiff1d(np.arange(len(here)), np.unique(here, return_index=True)[1])] = number
            place = int(np.argmax(before >= 0))
            raise ValueError(f"{said}: row {rows.ids[here[place]]!r} stands in {APART[before[place]]} and in {name}")
    for name in ("train", "test", "labelled"):
        if not len(getattr(split, name)):
            raise ValueError(f"{said}: {name} is empty")
    marked = np.zeros(len(part), np.bool_)
    marked[split.labelled] = True
    if (part[split.labelled] != 0).any() or np.count_nonzero(marked) < len(split.labelled):
        raise ValueError(f"{said}: labelled rows must be train rows, each once")
    for name in ("labelled", "valid", "test"):
        here = getattr(split, name)
        if not rows.has_target[here].all():
            raise ValueError(f"{said}: {name} row {rows.ids[here[~rows.has_target[here]][0]]!r} has no target")
    if split.group:
        _no_crossing(said, part, rows)


def _no_crossing(said: str, part: Positions, rows: Rows) -> None:
    if rows.groups is None:
        raise ValueError(f"{said} keeps groups together, but the corpus has no groups")
    here = np.flatnonzero((part >= 0) & (rows.group_numbers >= 0))
    group, first = rows.group_numbers[here], np.zeros(len(part), np.intp)
    # Of rows of one group the last that is assigned stays: backwards, that is the first.
    first[group[::-1]] = part[here[::-1]]
    crosses = first[group] != part[here]
    if crosses.any():
        row = here[int(np.argmax(crosses))]
        stands = f"{APART[first[rows.group_numbers[row]]]} and in {APART[part[row]]}"
        raise ValueError(f"{said}: group {rows.groups[row]!r} stands in {stands}")
