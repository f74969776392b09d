"""Giveaway: columns that say the target by themselves, found by a probe of each that learns on half the rows.

The probe of a number is its nearest neighbours of the other half, on a line: a class is that of the nearer one, a number lies on
the straight line between both. The probe of a category, and of a text, is what rows of the other half with the same one say.
Where a column is absent counts as one more value: it may be absent just where the target says so.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.regrets import names_of, which
from understudy.prepare.cells import Cells

ROWS = 1000
"""Labelled rows that are looked at, evenly spread."""
LEAST = 20
"""With fewer, some column says the target by chance."""
WRONG, UNEXPLAINED = 0.02, 0.01
"""Share of wrong classes, and of a number's variance, up to which a column gives the target away,"""
BETTER = 10
"""if it is also so many times less than what a constant guess gets wrong."""
COLUMNS = 128
"""Columns of numbers that are probed at once."""
PROBED = ("vector", "table", "text")


def giveaways(corpus: Corpus) -> list[str]:
    """A sentence for each modality with columns that give the target away, or with texts that do."""
    known = np.flatnonzero(corpus.has_target)
    if len(known) < LEAST or corpus.target.ndim > 1:
        return []
    # In another order, since rows often lie in the order of their classes, and every row beside one of its own.
    order = np.random.default_rng(0).permutation(min(ROWS, len(known)))
    rows = known[np.linspace(0, len(known) - 1, len(order)).astype(int)]
    target, most, right = corpus.target[rows][order], UNEXPLAINED, "explains {:.1%} of the variance in rows"
    if discrete := corpus.task.discrete:
        target = np.unique(target, return_inverse=True)[1]
        most, right = min(WRONG, (1 - np.bincount(target).max() / len(target)) / BETTER), "is right in {:.1%} of the rows"
    if target.min() == target.max():
        return []
    said = []
    for name, modality in corpus.modalities.items():
        cells = corpus.cells(name, rows).take(order) if modality.kind in PROBED else None
        left = {} if cells is None else dict(probed(cells, names_of(corpus, name), target, discrete))
        found = sorted((column for column in left if left[column] <= most), key=lambda column: left[column])
        if found:
            subject = "the text alone" if modality.kind == "text" else which(found)
            what = f"gives the target away: a probe of it {right.format(1 - left[found[0]])} that it did not learn from"
            said.append(f"modality {name!r}: {subject} {what}; leave it out unless it is known before the target is")
    return said


def probed(cells: Cells, names: list[str], target: NDArray[Any], discrete: bool) -> Iterator[tuple[str, float]]:
    """Each column of a vector or a table, or the text, and the share that its probe leaves: of wrong classes, or of variance."""
    if cells.kind == "vector":
        values = np.where(cells.present[:, None], cells.values, np.nan)
        for start in range(0, len(names), COLUMNS):
            guess = by_neighbours(values[:, start : start + COLUMNS], target, discrete)
            yield from zip(names[start : start + COLUMNS], left_of(guess, target, discrete), strict=True)
        return
    for name, values in (cells.values if cells.kind == "table" else {"": np.array(cells.values, object)}).items():
        probe = by_same(values, target, discrete) if values.dtype == object else by_neighbours(values[:, None], target, discrete)
        yield name, float(left_of(probe, target, discrete)[0])


def left_of(guess: NDArray[Any], target: NDArray[Any], discrete: bool) -> NDArray[np.float64]:
    """`[D]`: what guesses `[N D]` leave."""
    if discrete:
        return (guess != target[:, None]).mean(axis=0)
    return np.square(guess - target[:, None]).mean(axis=0) / target.var()


def by_neighbours(values: NDArray[Any], target: NDArray[Any], discrete: bool) -> NDArray[Any]:
    """Guesses `[N D]` from each of the columns `[N D]` of numbers by itself: every half of the rows from the other half."""
    wide = values.astype(np.float64)
    with np.errstate(all="ignore"):
        low, high = np.fmin.reduce(wide), np.fmax.reduce(wide)
    wide = np.where(np.isnan(wide), np.nan_to_num(low - (high - low)) - 1, wide)
    order = np.argsort(wide, axis=0, kind="stable")
    ranked, place, guess = np.take_along_axis(wide, order, 0), np.arange(len(wide))[:, None], np.empty(wide.shape)
    for half in (0, 1):
        taught = order % 2 == half
        below = np.maximum.accumulate(np.where(taught, place, -1), axis=0)
        above = np.minimum.accumulate(np.where(taught, place, len(wide))[::-1], axis=0)[::-1]
        below, above = np.where(below < 0, above, below), np.where(above == len(wide), below, above)
        near, far = (np.take_along_axis(ranked, each, 0) for each in (below, above))
        share = np.divide(ranked - near, far - near, out=np.full(wide.shape, 0.5), where=far > near)
        first, second = (target[np.take_along_axis(order, each, 0)] for each in (below, above))
        said = np.where(share < 0.5, first, second) if discrete else first + share * (second - first)
        guess = np.where(taught, guess, said)
    found = np.empty(wide.shape)
    np.put_along_axis(found, order, guess, 0)
    return found


def by_same(values: NDArray[np.object_], target: NDArray[Any], discrete: bool) -> NDArray[Any]:
    """Guesses `[N 1]` from categories or texts: what most rows of the other half with the same one say, or their mean."""
    names: dict[Any, int] = {}
    codes = np.array([names.setdefault(value, len(names)) for value in values])
    guess = np.empty((len(codes), 1))
    for half in (0, 1):
        taught = np.arange(len(codes)) % 2 == half
        if discrete:
            times = np.zeros((len(names), int(target.max()) + 1))
            np.add.at(times, (codes[taught], target[taught]), 1)
            times[times.sum(axis=1) == 0] = times.sum(axis=0)
            said = times.argmax(axis=1)
        else:
            times = np.bincount(codes[taught], minlength=len(names))
            sums = np.bincount(codes[taught], target[taught], minlength=len(names))
            said = np.where(times > 0, sums / np.maximum(times, 1), target[taught].mean())
        guess[~taught, 0] = said[codes[~taught]]
    return guess
