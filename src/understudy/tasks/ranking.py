"""Retrieval: how high does a query of one modality rank the items of another that share its class? Exact, torch-free.

Every query meets the full gallery; the score is the cosine, relevant is what has the query's class (the paired item included).
A row of scores is sorted once, as 64-bit integers that hold score, gallery index and relevance: a plain, in-place and vectorised
sort that leaves nothing to look up, and in which equal scores keep the gallery's order.
"""

import os
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Divisor = Literal["hits_in_k", "min_R_k"]

CUTS = (1, 5, 10)
"""k of the recalls that are always reported."""
AT_ONCE = 2**21
"""Scores that one thread computes at a time, at 12 bytes each: bounds memory whatever the gallery."""
SORTED_AT_ONCE = 2**17
"""Scores that one thread sorts at a time, at 8 bytes each: they stay in a core's cache."""
TIED = 0.01
"""Share of neighbours in rank with equal scores above which a warning is due."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """Q queries against one gallery. ap: average precision of each, NaN where nothing is relevant (those are `left_out`).

    first: rank, from 1, of each query's first relevant item; 0 where there is none. zero_norm: vectors of either side without
    length, whose scores are 0. tied: share of neighbours in rank whose scores are equal.
    """

    ap: NDArray[np.float64]
    first: NDArray[np.int64]
    zero_norm: int
    tied: float

    @property
    def left_out(self) -> int:
        """Queries without any relevant item: in no figure."""
        return int((self.first == 0).sum())

    @property
    def mean_ap(self) -> float:
        """mAP in [0, 1]; NaN when every query is left out."""
        known = self.ap[self.first > 0]
        return float(known.mean()) if len(known) else float("nan")

    def recall(self, k: int) -> float:
        """R@k in [0, 1]: the share of queries with *any* relevant item among the first k (a hit rate); NaN as `mean_ap`."""
        known = self.first[self.first > 0]
        return float((known <= k).mean()) if len(known) else float("nan")

    @property
    def mean_rank(self) -> float:
        """MnR, at least 1: the mean rank of the first relevant item; NaN as `mean_ap`."""
        known = self.first[self.first > 0]
        return float(known.mean()) if len(known) else float("nan")


def rank(
    queries: Array,
    gallery: Array,
    query_class: Array,
    gallery_class: Array,
    *,
    cut: int | None = None,
    ap_divisor: Divisor = "hits_in_k",
    threads: int | None = None,
) -> Ranking:
    """Rank the whole gallery `[N D]` for each of `queries` `[Q D]` by cosine, some rows of scores at a time.

    cut: count only the first `cut` places (mAP@N); then ap_divisor is what a query's sum is divided by: the relevant items among
    them, or the smaller of `cut` and all relevant items. threads: as many as there are cores when None. Many ties warn,
    since the gallery's order decides them. ValueError for numbers that are not finite, shapes that do not fit and a cut below 1.
    """
    check(queries, gallery, query_class, gallery_class, cut)
    (ours, short), (theirs, empty) = unit(queries), unit(gallery)
    classes = np.unique(np.concatenate([query_class, gallery_class]), return_inverse=True)[1]
    asked, held = classes[: len(ours)], classes[len(ours) :]
    step = max(1, AT_ONCE // len(theirs))

    def some(start: int) -> list[tuple[Array, Array, int]]:
        own, wanted = ours[start : start + step], asked[start : start + step, None]
        # Scores are rounded only after the sum, so that equal vectors tie exactly wherever they stand.
        scores = (own @ theirs.T).astype(np.float32)
        few = max(1, SORTED_AT_ONCE // len(theirs))
        pieces = (slice(at, at + few) for at in range(0, len(own), few))
        return [rank_scores(scores[rows], wanted[rows] == held, cut=cut, ap_divisor=ap_divisor) for rows in pieces]

    with ThreadPoolExecutor(threads or os.cpu_count()) as pool:
        found = [piece for pieces in pool.map(some, range(0, len(ours), step)) for piece in pieces]
    ap, first, ties = zip(*found, strict=True)
    tied = sum(ties) / max(1, len(ours) * (len(theirs) - 1))
    if tied > TIED:
        # The same words each time, so that Python says them once and not at each validation.
        warnings.warn(f"over {TIED:.0%} of the scores next to each other in rank are equal; such items keep the gallery's order")
    return Ranking(np.concatenate(ap), np.concatenate(first), short + empty, tied)


def check(queries: Array, gallery: Array, query_class: Array, gallery_class: Array, cut: int | None) -> None:
    """ValueError for what `rank` cannot rank."""
    for name, vectors, classes in (("queries", queries, query_class), ("gallery", gallery, gallery_class)):
        if vectors.ndim != 2 or len(vectors) != len(classes) or not len(vectors):
            raise ValueError(
                f"{name} has shape {vectors.shape} and {len(classes)} classes; expected [N D], N at least 1, N classes"
            )
        wrong = ~np.isfinite(vectors).all(axis=1)
        if wrong.any():
            raise ValueError(f"{name} row {int(wrong.argmax())} is not finite, nor are {int(wrong.sum()) - 1} others")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} numbers, the gallery {gallery.shape[1]}; both must be in one space")
    if cut is not None and cut < 1:
        raise ValueError(f"cut {cut} given; it counts places from 1")


def unit(vectors: Array) -> tuple[NDArray[np.float64], int]:
    """Vectors of length 1 in float64, and how many had no length (they stay 0)."""
    wide = vectors.astype(np.float64)
    # The largest number goes first: squares of very small or large ones would leave float64.
    largest = np.abs(wide).max(axis=1, keepdims=True, initial=0.0)
    wide /= np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    return wide / np.where(length > 0, length, 1.0), int((length == 0).sum())


def rank_scores(
    scores: NDArray[np.float32], relevant: NDArray[np.bool_], *, cut: int | None = None, ap_divisor: Divisor = "hits_in_k"
) -> tuple[NDArray[np.float64], NDArray[np.int64], int]:
    """AP, rank of the first relevant item, and the number of equal neighbours in rank, of scores and relevance `[Q N]`."""
    many, wide = scores.shape
    keys = descending(scores)
    keys |= np.arange(0, 2 * wide, 2)
    keys |= relevant
    keys.sort(axis=1)
    ties = int(np.count_nonzero((keys[:, 1:] ^ keys[:, :-1]).view(np.uint64) < 2**32))
    # From here only relevant items are looked at: their row, their rank, and the how-manieth relevant one of its row each is.
    flat = np.flatnonzero((keys & 1).astype(np.bool_))
    row, place = np.divmod(flat, wide)
    found = np.bincount(row, minlength=many)
    before = np.cumsum(found) - found
    nth = np.arange(1, len(flat) + 1) - before[row]
    precision = nth / (place + 1)
    first = np.zeros(many, dtype=np.int64)
    first[found > 0] = place[before[found > 0]] + 1
    divisor = found
    if cut is not None:
        inside = place < cut
        precision *= inside
        hits = np.bincount(row[inside], minlength=many)
        divisor = np.minimum(found, cut) if ap_divisor == "min_R_k" else np.maximum(hits, 1)
    total = np.bincount(row, precision, minlength=many)
    return np.where(found > 0, total / np.maximum(divisor, 1), np.nan), first, ties


def descending(scores: NDArray[np.float32]) -> NDArray[np.int64]:
    """Integers in the opposite order of the scores; the low 32 bits are free."""
    bits = (scores + np.float32(0)).view(np.int32)  # -0 becomes 0, which it equals
    # A float's bits count upwards above 0 and downwards below: turned round below 0, they order as the numbers do.
    bits ^= (bits >> 31) & np.int32(0x7FFFFFFF)
    return (~bits).astype(np.int64) << 32


def both_ways(prediction: Array, target: Array) -> Iterator[tuple[int, int, NDArray[np.intp], Ranking]]:
    """Every ordered pair of branches of `[N M D]`: query branch, gallery branch, the rows that ask, and their ranking.

    A row whose branch holds NaN neither asks nor is in the gallery there; a pair that is without queries or gallery is left out.
    """
    here = np.asarray(np.isfinite(prediction).all(axis=2))
    for asks, answers in permutations(range(prediction.shape[1]), 2):
        rows, held = np.flatnonzero(here[:, asks]), np.flatnonzero(here[:, answers])
        if len(rows) and len(held):
            found = rank(prediction[rows, asks], prediction[held, answers], target[rows], target[held])
            yield asks, answers, rows, found


def retrieval_metrics(prediction: Array, target: Array, branches: Sequence[str]) -> dict[str, float]:
    """Of embeddings `[N M D]` and classes `[N]`: `map` is the mean over the directions; all shares are in [0, 1].

    A direction's figures are called `map_image_to_text`, `recall@5_image_to_text` ... `left_out` counts queries without any
    relevant item, `zero_norm` vectors without length, both over all directions. NaN where no direction can be ranked.
    """
    found: dict[str, float] = {"map": float("nan")}
    left_out = zero_norm = 0
    for asks, answers, _, ranking in both_ways(prediction, target):
        way = f"{branches[asks]}_to_{branches[answers]}"
        found[f"map_{way}"] = ranking.mean_ap
        found |= {f"recall@{k}_{way}": ranking.recall(k) for k in CUTS}
        found[f"mean_rank_{way}"] = ranking.mean_rank
        left_out, zero_norm = left_out + ranking.left_out, zero_norm + ranking.zero_norm
    ways = [value for name, value in found.items() if name.startswith("map_")]
    found["map"] = float(np.mean(ways)) if ways else float("nan")
    return found | {"left_out": float(left_out), "zero_norm": float(zero_norm)}


def mean_ap_of_rows(prediction: Array, target: Array) -> NDArray[np.float64]:
    """The AP of each row of `[N M D]`, averaged over the directions in which it asks; NaN where it has no relevant item."""
    total, count = np.zeros(len(target)), np.zeros(len(target))
    for _, _, rows, ranking in both_ways(prediction, target):
        known = ranking.first > 0
        total[rows[known]] += ranking.ap[known]
        count[rows[known]] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
