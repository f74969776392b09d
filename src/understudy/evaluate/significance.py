"""Significance: could this difference be luck of the seeds or of the test rows? Torch-free.

A paired difference is an array `[S N]`: S seeds (each trained both systems), N test rows, positive = better. Seeds and rows are
both samples, others were possible, so both are resampled: crossed, like readers and cases in diagnostic imaging.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from understudy.evaluate.results import ONE_RUN

Array = NDArray[Any]

LEVEL = 0.95
CHUNK = 2_000_000
"""Numbers in one block of resampling weights: 16 MB."""
CACHED = 100_000
"""Numbers that are counted at once: more no longer lie in a core's cache."""
FEW = 8
"""A draw of counts costs as much as drawing so many groups one by one (measured)."""


@dataclass(frozen=True)
class Error:
    """Standard error of a mean over two crossed random ways with its degrees of freedom, and what each way alone says.

    alone: standard error and degrees of freedom of the seeds' means, and of the groups' means; () with one seed.
    """

    whole: float
    freedom: float
    alone: tuple[tuple[float, int], ...] = ()

    def half_width(self, middle: float) -> float:
        """Half of the t interval that ends at the quantile `middle`."""
        return self.whole * float(stdtrit(self.freedom, middle))

    def half_width_alone(self, middle: float) -> float:
        """The wider of the t intervals of the seeds' means and of the groups' means."""
        return max((error * float(stdtrit(freedom, middle)) for error, freedom in self.alone), default=0.0)


@dataclass(frozen=True, eq=False)
class Resampled:
    """K estimates `[K]`, how far each of their joint bootstrap draws lies from them `[K draws]`, and their errors."""

    estimate: Array
    deviations: Array
    errors: Sequence[Error]
    seeds: int

    @property
    def draws(self) -> Array:
        """The joint draws `[K draws]` whose 95 % percentile intervals are those of `interval`."""
        factors = np.array([self.stretch(which, LEVEL) for which in range(len(self.estimate))])
        return self.estimate[:, None] + self.deviations * factors[:, None]

    def interval(self, which: int = 0, level: float = LEVEL) -> tuple[float, float]:
        """The interval that holds the truth with probability `level`."""
        ends = self.estimate[which] + self.ends(which, level) * self.stretch(which, level)
        return float(ends[0]), float(ends[1])

    def p(self, which: int = 0) -> float:
        """The smallest 1 - level whose interval leaves 0 outside, so that p < 0.05 says what the 95 % interval says."""
        smallest, largest, middle = 1 / (self.deviations.shape[1] + 1), 1.0, 1 - LEVEL
        while largest - smallest > 1e-3 * largest:
            low, high = self.interval(which, 1 - middle)
            smallest, largest = (smallest, middle) if low > 0 or high < 0 else (middle, largest)
            middle = (smallest + largest) / 2
        return largest

    def ends(self, which: int, level: float) -> Array:
        """Both quantiles of the deviations."""
        return np.quantile(self.deviations[which], [(1 - level) / 2, (1 + level) / 2])

    def stretch(self, which: int, level: float) -> float:
        """By how much the deviations are too small at this level."""
        error, middle = self.errors[which], (1 + level) / 2
        deviation, half = float(self.deviations[which].std()), float(np.ptp(self.ends(which, level))) / 2
        whole = error.half_width(middle) / (float(ndtri(middle)) * deviation) if deviation > 0 else 0.0
        return max(whole, error.half_width_alone(middle) / half if half > 0 else 0.0)


def crossed_bootstrap(difference: Array, groups: Array | None = None, *, draws: int = 10_000, seed: int = 0) -> Resampled:
    """Means of `difference` `[K S N]` (K of them drawn together), with seeds and groups of rows resampled with replacement.

    The percentile interval of a handful of seeds is too narrow (no factor n / (n - 1), no t quantile; see Hesterberg, The
    American Statistician 2015), and resampling two ways at once counts their interaction too often (see Owen, The Pigeonhole
    Bootstrap, 2007). So the draws are stretched or shrunk about the estimate to what `error_of` says, and never below the t
    interval of the seeds' means or of the groups' means (ours): two ways together have too many degrees of freedom where few
    seeds, or few groups, lie close by luck (see results/nulls.md).
    With one seed only rows are resampled; with no groups, or a single one, every row is a group.
    """
    sums, sizes = grouped_sums(difference, groups)
    estimate = sums.sum(axis=(1, 2)) / (sums.shape[1] * sizes.sum())
    found = resample(sums, sizes, draws=draws, seed=seed)
    errors = [error_of(one - mean * sizes, sizes.mean()) for one, mean in zip(sums, estimate, strict=True)]
    return Resampled(estimate, found - estimate[:, None], errors, sums.shape[1])


def grouped_sums(difference: Array, groups: Array | None) -> tuple[Array, Array]:
    """Sums of the differences by group `[K S G]`, and the groups' sizes `[G]`."""
    codes = codes_of(groups, difference.shape[-1])
    sizes = np.bincount(codes)
    flat = np.asarray(difference, np.float64).reshape(-1, difference.shape[-1])
    sums = np.stack([np.bincount(codes, row) for row in flat])
    return sums.reshape(*difference.shape[:-1], len(sizes)), sizes.astype(np.float64)


def codes_of(groups: Array | None, rows: int) -> Array:
    """A number from 0 for the group of each row; without groups, or with a single one, every row is its own."""
    codes = np.arange(rows) if groups is None else np.unique(groups, return_inverse=True)[1]
    return codes if codes.max() > 0 else np.arange(rows)


def resample(sums: Array, sizes: Array, *, draws: int, seed: int) -> Array:
    """Draws `[K draws]` of the mean, with seeds and groups drawn with replacement as often as there are."""
    random = np.random.default_rng(seed)
    sums, sizes, counts = alike(sums, sizes)
    seeds, block = sums.shape[1], max(1, CHUNK // int(counts.sum() if counts.max() == 1 else len(counts)))
    found = []
    for start in range(0, draws, block):
        count = min(block, draws - start)
        by_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count).astype(np.float64)
        by_group = drawn(random, counts, count)
        total = np.einsum("ds,ksd->kd", by_seed, sums @ by_group.T)
        found.append(total / (seeds * (by_group @ sizes)))
    return np.concatenate(found, axis=1)


def alike(sums: Array, sizes: Array) -> tuple[Array, Array, Array]:
    """Sums `[K S P]` and sizes `[P]` of the P kinds of groups, and how many groups are of each `[P]`.

    Rows with a score of 0 or 1 are of few kinds, whatever their number: the same in every sum. Where kinds are many, every
    group is one.
    """
    kind = np.zeros(len(sizes), np.intp)
    for column in (sizes, *sums.reshape(-1, len(sizes))):
        codes = np.unique(column, return_inverse=True)[1]
        kind = np.unique(kind * (codes.max() + 1) + codes, return_inverse=True)[1]
        if (kind.max() + 1) * FEW > len(sizes):
            return sums, sizes, np.ones(len(sizes), np.intp)
    first = np.unique(kind, return_index=True)[1]
    return sums[..., first], sizes[first], np.bincount(kind)


def drawn(random: np.random.Generator, counts: Array, draws: int) -> Array:
    """How often each kind of group is in each of the draws `[draws P]`, exactly as if groups were drawn one by one."""
    groups = int(counts.sum())
    if len(counts) < groups:
        return random.multinomial(groups, counts / groups, size=draws).astype(np.float64)
    found, step = np.empty((draws, groups)), max(1, CACHED // groups)
    for start in range(0, draws, step):
        part = found[start : start + step]
        places = random.integers(0, groups, size=part.shape) + np.arange(0, part.size, groups)[:, None]
        part[:] = np.bincount(places.reshape(-1), minlength=part.size).reshape(part.shape)
    return found


def error_of(residual: Array, size: float) -> Error:
    """The error of a mean whose `residual` `[S G]` of seeds and groups sums to 0.

    Variance over two crossed random ways by mean squares, (MS(seeds) + max(0, MS(groups) - MS(interaction))) / (S G),
    with Satterthwaite's degrees of freedom: what multi-reader multi-case analysis does.
    """
    seeds, groups = residual.shape
    residual = residual / size
    by_seed, by_group = residual.mean(axis=1), residual.mean(axis=0)
    of_groups = seeds * float((by_group**2).sum()) / max(groups - 1, 1)
    if seeds == 1:
        return Error((of_groups / groups) ** 0.5, max(groups - 1.0, 1.0))
    of_seeds = groups * float((by_seed**2).sum()) / (seeds - 1)
    rest = float(((residual - by_seed[:, None] - by_group) ** 2).sum()) / max((seeds - 1) * (groups - 1), 1)
    only_groups = max(0.0, of_groups - rest)
    parts = of_seeds**2 / (seeds - 1) + only_groups**2 / max(groups - 1, 1)
    freedom = (of_seeds + only_groups) ** 2 / parts if parts > 0 else 1.0
    cells = seeds * groups
    alone = ((of_seeds / cells) ** 0.5, seeds - 1), ((of_groups / cells) ** 0.5, max(groups - 1, 1))
    return Error(((of_seeds + only_groups) / cells) ** 0.5, max(freedom, 1.0), alone)


def verdict(low: float, high: float, seeds: int) -> str:
    """The one rule by which page, card and terminal speak of a difference (positive = better): does its 95 % interval hold 0?

    One seed says nothing about another training, whatever its test rows say.
    """
    if seeds < 2:
        return ONE_RUN
    if low > 0:
        return "better"
    return "worse" if high < 0 else "not distinguishable"


def recovered_share(both: Resampled) -> dict[str, float] | None:
    """(distilled - plain) / (teacher - plain) with its interval; None unless the teacher's advantage is clearly positive.

    `both` holds the student's gain and the teacher's advantage over plain, drawn together; of one seed there is no share.
    """
    if both.seeds < 2 or both.interval(1)[0] <= 0:
        return None
    gain, advantage = both.draws
    # At most 2.5 % of the draws have no advantage; they become very large shares of the gain's sign, outside the interval.
    share = gain / np.maximum(advantage, 1e-9 * both.estimate[1])
    low, high = np.quantile(share, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return {"value": float(both.estimate[0] / both.estimate[1]), "low": float(low), "high": float(high)}


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 1979): no false claim among all with probability 0.95."""
    order = np.argsort(ps, kind="stable")
    scaled = np.asarray(ps, np.float64)[order] * (len(ps) - np.arange(len(ps)))
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
