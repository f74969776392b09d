"""Almost stochastic order: how far is one system's distribution of scores from lying above another's? Torch-free.

Dror, Shlomov, Reichart, "Deep Dominance", ACL 2019, after del Barrio, Cuesta-Albertos, Matran 2018; the bootstrap as in Ulmer,
Hardmeier, Frellsen 2022 (package deep-significance). The integrals over quantile functions are exact here, not sums over a grid.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Array = NDArray[Any]


def violation(better: Array, other: Array) -> Array:
    """eps in [0, 1] of samples `[..., n]` and `[..., m]`, higher = better: the share of their squared Wasserstein distance at
    the quantiles where `better` lies below `other`. 0: it is above everywhere. 1: below everywhere. Equal samples: 0.5.
    """
    a, b = np.sort(better, axis=-1), np.sort(other, axis=-1)
    # Both quantile functions are steps: constant between the multiples of 1/n and 1/m.
    n, m = a.shape[-1], b.shape[-1]
    ends = np.unique(np.concatenate([np.arange(n + 1) * m, np.arange(m + 1) * n]))
    starts, width = ends[:-1], np.diff(ends) / (n * m)
    gap = b[..., starts // n] - a[..., starts // m]
    above = (np.maximum(gap, 0) ** 2 * width).sum(axis=-1)
    whole = (gap**2 * width).sum(axis=-1)
    return np.divide(above, whole, out=np.full_like(whole, 0.5), where=whole > 0)


def eps_min(better: Array, other: Array, *, level: float = 0.95, draws: int = 1000, seed: int = 0) -> float:
    """Upper bound in [0, 1] of the violation, true with probability `level`, from scores of several seeds each (`[n]`, `[m]`).

    From 0.2 down it favours `better`, more surely the nearer to 0; 0.5 says nothing. With few seeds the bootstrap is coarse; one
    seed a system is a ValueError.
    """
    n, m = len(better), len(other)
    if min(n, m) < 2:
        raise ValueError(f"{n} and {m} scores given; almost stochastic order compares distributions, so at least 2 each")
    random = np.random.default_rng(seed)
    drawn = violation(random.choice(better, (draws, n)), random.choice(other, (draws, m)))
    found = float(violation(np.asarray(better, np.float64), np.asarray(other, np.float64)))
    # sqrt(nm / (n + m)) scales the deviation and is divided out again.
    deviation = float(np.std(drawn - found))
    return float(np.clip(found - deviation * ndtri(1 - level), 0, 1))


SEEDS, FAVOURS = 5, 0.2
"""Seeds a system below which eps_min is 0 or 1 by luck, and where it begins to speak: below 0.5 lie 20 to 25 % of the comparisons
of equal systems (see results/nulls.md)."""
MEANING = (
    "upper bound (95 %) of how much of the distance between both systems' scores over seeds speaks against the distilled one: "
    f"it favours the distilled one from {FAVOURS} down, the more surely the nearer to 0"
)


def described(better: Array, other: Array) -> dict[str, Any] | None:
    """eps_min, whether it favours `better`, and what it means, for `results.json`; None where a system has fewer than 5 seeds."""
    if min(len(better), len(other)) < SEEDS:
        return None
    found = eps_min(better, other)
    return {"eps_min": found, "favours": found <= FAVOURS, "meaning": MEANING}
