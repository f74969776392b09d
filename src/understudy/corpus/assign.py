"""Assign: which part each unit of rows goes to, so that every part gets its share of each stratum."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.numbered import Members, Numbers, numbered


def assign(unit: Numbers, strata: Numbers, shares: Sequence[float], seed: int) -> Numbers:
    """A part a row, of each row's unit and stratum (-1: none), both numbers, units from 0 without a gap.

    Units go in random order, large ones first, each to the part that lacks its strata most. No part with a share stays empty: the
    last units go to those that are. ValueError for fewer units than such parts.
    """
    kind = np.where(strata < 0, -1, numbered(pa.array(strata)))
    known = np.flatnonzero(kind >= 0)
    sizes = np.bincount(unit[known], minlength=int(unit.max()) + 1)
    lacking = np.outer(shares, np.bincount(kind[known], minlength=int(numbered(pa.array(strata)).max()) + 1).astype(float))
    order = np.random.default_rng([seed, 1]).permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    order = order[sizes[order] > 0]
    open_parts = np.flatnonzero(np.asarray(shares) > 0)
    if len(order) < len(open_parts):
        raise ValueError(
            f"groups and equal rows leave {len(order)} sets of rows that stay together, too few for {len(open_parts)} parts; "
            "ask for fewer parts, or look for a group or row that joins almost everything"
        )
    part, members = np.zeros(len(sizes), np.intp), Members(np.where(kind < 0, -1, unit))
    # The last ones may have to fill a part that is empty; before them, those of one row need no turn of their own.
    last = len(order) - len(open_parts)
    large = min(int(np.count_nonzero(sizes[order] > 1)), last)
    for each in order[:large]:
        counts = np.bincount(kind[members.of(each)], minlength=lacking.shape[1]).astype(float)
        part[each] = open_parts[np.argmax(lacking[open_parts] @ counts)]
        lacking[part[each]] -= counts
    single = order[large:last]
    part[single] = fill(lacking, open_parts, kind[members.first[single]])
    empty = np.setdiff1d(open_parts, part[order[:last]])
    for done, each in enumerate(order[last:], start=last):
        counts = np.bincount(kind[members.of(each)], minlength=lacking.shape[1]).astype(float)
        parts = empty if len(order) - done <= len(empty) else open_parts
        part[each] = parts[np.argmax(lacking[parts] @ counts)]
        lacking[part[each]] -= counts
        empty = empty[empty != part[each]]
    return part[unit]


def fill(lacking: NDArray[np.float64], parts: Numbers, kinds: Numbers) -> Numbers:
    """The part of each of some rows [n] of these kinds, one after the other: always the one that lacks its kind most.

    lacking: [parts kinds], which is updated. Rows of different kinds do not compete, and of one kind a part that lacks x is asked
    for at x, x - 1, x - 2 ...: the largest of all these numbers are the turns.
    """
    chosen = np.zeros(len(kinds), np.intp)
    members = Members(kinds)
    for kind in np.flatnonzero(np.bincount(kinds)):
        rows, wanted = members.of(kind), lacking[parts, kind]
        # Above the level that all would come down to together, so many turns at most.
        level = (wanted.sum() - len(rows)) / len(parts)
        turns = np.clip(np.ceil(wanted - level) + 2, 1, len(rows) + 1).astype(np.intp)
        # One after the other, since in floats x - 1 - 1 need not be x - 2.
        asked = [np.subtract.accumulate(np.r_[each, np.ones(times)]) for each, times in zip(wanted, turns, strict=True)]
        who = np.repeat(np.arange(len(parts)), [len(each) for each in asked])
        turn = np.argsort(-np.concatenate(asked), kind="stable")[: len(rows)]
        chosen[rows] = parts[who[turn]]
        for part, each, times in zip(parts, asked, np.bincount(who[turn], minlength=len(parts)), strict=True):
            lacking[part, kind] = each[times]
    return chosen
