"""Significance: could this difference be luck of the seeds or of the test rows? Torch-free.

A paired difference is an array `[S N]`: S seeds (each trained both systems), N test rows, positive = better. Seeds and rows are
both samples, others were possible, so both are resampled: crossed, like readers and cases in diagnostic imaging.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[Any]

LEVEL = 0.95
CHUNK = 2_000_000
"""Numbers in one block of resampling weights: 16 MB."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """K estimates `[K]` and their joint draws `[K draws]`."""

    estimate: Array
    draws: Array

    def interval(self, which: int = 0) -> tuple[float, float]:
        """The percentile interval that holds the truth with probability 0.95."""
        low, high = np.quantile(self.draws[which], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return float(low), float(high)


def crossed_bootstrap(difference: Array, groups: Array | None = None, *, draws: int = 10_000, seed: int = 0) -> Resampled:
    """Means of `difference` `[K S N]` (K of them drawn together), with seeds and groups of rows resampled with replacement.

    The percentile interval of a handful of seeds is too narrow (no factor n / (n - 1), no t quantile; see Hesterberg, The
    American Statistician 2015), and resampling two ways at once counts their interaction too often (see Owen, The Pigeonhole
    Bootstrap, 2007). So the draws are stretched or shrunk about the estimate to the deviation that `spread` says (ours).
    With one seed only rows are resampled; with no groups, or a single one, every row is a group.
    """
    sums, sizes = grouped_sums(difference, groups)
    estimate = sums.sum(axis=(1, 2)) / (sums.shape[1] * sizes.sum())
    found = resample(sums, sizes, draws=draws, seed=seed)
    deviation = found.std(axis=1)
    wanted = np.array([spread(one - mean * sizes, sizes.mean()) for one, mean in zip(sums, estimate, strict=True)])
    factor = np.divide(wanted, deviation, out=np.zeros_like(wanted), where=deviation > 0)
    return Resampled(estimate, estimate[:, None] + (found - estimate[:, None]) * factor[:, None])


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
    """Draws `[K draws]` of the mean, under multinomial weights of seeds and groups."""
    random = np.random.default_rng(seed)
    _, seeds, groups = sums.shape
    block = max(1, CHUNK // groups)
    found = []
    for start in range(0, draws, block):
        count = min(block, draws - start)
        by_seed = random.multinomial(seeds, np.full(seeds, 1 / seeds), size=count).astype(np.float64)
        by_group = random.multinomial(groups, np.full(groups, 1 / groups), size=count).astype(np.float64)
        total = np.einsum("ds,ksd->kd", by_seed, sums @ by_group.T)
        found.append(total / (seeds * (by_group @ sizes)))
    return np.concatenate(found, axis=1)


def spread(residual: Array, size: float) -> float:
    """Deviation that the draws must have for a 95 % percentile interval to be a t interval; `residual` `[S G]` sums to 0.

    Variance of a mean over two crossed random ways by mean squares, (MS(seeds) + max(0, MS(groups) - MS(interaction))) / (S G),
    with Satterthwaite's degrees of freedom: what multi-reader multi-case analysis does.
    """
    seeds, groups = residual.shape
    residual = residual / size
    by_seed, by_group = residual.mean(axis=1), residual.mean(axis=0)
    of_groups = seeds * (by_group**2).sum() / max(groups - 1, 1)
    if seeds == 1:
        variance, freedom = of_groups / groups, groups - 1
    else:
        of_seeds = groups * (by_seed**2).sum() / (seeds - 1)
        rest = ((residual - by_seed[:, None] - by_group) ** 2).sum() / max((seeds - 1) * (groups - 1), 1)
        only_groups = max(0.0, of_groups - rest)
        variance = (of_seeds + only_groups) / (seeds * groups)
        parts = of_seeds**2 / (seeds - 1) + only_groups**2 / max(groups - 1, 1)
        freedom = (of_seeds + only_groups) ** 2 / parts if parts > 0 else 1.0
    middle = (1 + LEVEL) / 2
    return float(np.sqrt(variance) * stats.t.ppf(middle, max(freedom, 1)) / stats.norm.ppf(middle))


def sign_flip_p(difference: Array, groups: Array | None = None, *, draws: int = 10_000, seed: int = 0) -> float:
    """Two-sided permutation p: were the systems exchangeable within every group of rows, how often would |mean| be as large?

    `difference` `[S N]` is averaged over its seeds, so this speaks of these trained models on other rows. Up to 13 groups every
    flip is counted and p is exact; beyond, `draws` random flips, the observed one among them (Phipson and Smyth 2010).
    """
    sums = grouped_sums(difference.mean(axis=0, keepdims=True)[None], groups)[0][0, 0]
    many = len(sums)
    if many <= 13:
        signs = 1.0 - 2.0 * ((np.arange(2**many)[:, None] >> np.arange(many)) & 1)
        return float(at_least(signs @ sums, sums).mean())
    random = np.random.default_rng(seed)
    block = max(1, CHUNK // many)
    hits = 0
    for start in range(0, draws, block):
        signs = random.integers(0, 2, size=(min(block, draws - start), many), dtype=np.int8) * 2.0 - 1.0
        hits += int(at_least(signs @ sums, sums).sum())
    return (hits + 1) / (draws + 1)


def at_least(flipped: Array, sums: Array) -> Array:
    """Where a flipped total is as far from 0 as the observed one; sums in another order count as equal."""
    return np.abs(flipped) >= abs(sums.sum()) - 1e-9 * np.abs(sums).sum()


def verdict(low: float, high: float) -> str:
    """What a 95 % interval of a difference (positive = better) allows to say."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "not distinguishable"


def recovered_share(both: Resampled) -> dict[str, float] | None:
    """(distilled - plain) / (teacher - plain) with its interval; None unless the teacher's advantage is clearly positive.

    `both` holds the student's gain and the teacher's advantage over plain, drawn together.
    """
    if both.interval(1)[0] <= 0:
        return None
    gain, advantage = both.draws
    # At most 2.5 % of the draws have no advantage; they become very large shares of the gain's sign, outside the interval.
    share = gain / np.maximum(advantage, 1e-9 * both.estimate[1])
    low, high = Resampled(both.estimate, share[None]).interval()
    return {"value": float(both.estimate[0] / both.estimate[1]), "low": low, "high": high}


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 1979): no false claim among all with probability 0.95."""
    order = np.argsort(ps, kind="stable")
    scaled = np.asarray(ps, np.float64)[order] * (len(ps) - np.arange(len(ps)))
    adjusted = np.empty(len(ps))
    adjusted[order] = np.minimum(np.maximum.accumulate(scaled), 1.0)
    return adjusted.tolist()
