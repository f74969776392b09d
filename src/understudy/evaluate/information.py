"""Information: how many nats do two representations, or a representation and a label, share? Four estimators with intervals.

`gaussian` and `ksg` estimate, `infonce` and `of_label` bound from below on rows that they did not learn from. An interval that
holds 0 says that nothing was found, not that nothing is there. Ours where no source is named.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.evaluate.critic import pair_nats, trained_critic
from understudy.evaluate.significance import LEVEL, codes_of, crossed_bootstrap
from understudy.tasks.metrics import SMALLEST

Array = NDArray[Any]
Estimator = Callable[[Array, Array], float]

LEAST = 40
"""Rows: half of them, and a fold of them, must still say something."""
HALVES = 50
"""Halves that an interval of a whole-sample estimate is drawn from."""
FEW = 4
"""Rows a column, below which a covariance is shrunk."""
DIMENSIONS = 10
"""Principal components that `ksg` keeps of each side; distances say little in more."""
PENALTIES = np.logspace(-4, 2, 5)
"""Of the classifier, as scikit-learn's C; the smallest leaves the shares of the classes."""


@dataclass(frozen=True)
class Information:
    """Nats, with a 95 % interval; `ceiling` is what the estimator could say at most, None where it has no limit of its own."""

    value: float
    low: float
    high: float
    rows: int
    estimator: str
    ceiling: float | None = None

    def __str__(self) -> str:
        top = "" if self.ceiling is None else f", at most {self.ceiling:.2f}"
        return f"{self.value:.3f} nats [{self.low:.3f}, {self.high:.3f}] ({self.estimator}, {self.rows} rows{top})"


def gaussian(x: Array, y: Array, *, seed: int = 0) -> Information:
    """I(x; y) were `[x y]` jointly normal: -1/2 sum log(1 - r^2) over canonical correlations r. Only what is linear is seen.

    With `FEW` rows a column or more, less what chance adds (expected log determinants of a Wishart matrix), which makes
    it unbiased and may take it below 0; else of the covariance shrunk towards independence (Ledoit and Wolf, Journal of
    Multivariate Analysis 2004), which then says too little rather than far too much.
    """
    x, y = checked(x, y)
    shrunk = len(x) < FEW * (x.shape[1] + y.shape[1])
    return from_halves(lambda a, b: gaussian_nats(a, b, shrunk=shrunk), x, y, "Gaussian" + ", shrunk" * shrunk, seed)


def gaussian_nats(x: Array, y: Array, *, shrunk: bool) -> float:
    """The estimate itself; ValueError where one side says the other exactly."""
    return shrunk_nats(x, y) if shrunk else canonical_nats(x, y)


def canonical_nats(x: Array, y: Array) -> float:
    """-1/2 sum log(1 - r^2) over canonical correlations, less what chance adds; columns that follow from others do no harm."""
    from scipy.special import digamma

    left, right = basis(x), basis(y)
    found = np.linalg.svd(left.T @ right, compute_uv=False)
    if found.max(initial=0.0) > 1 - 1e-9:
        raise ValueError("a column of one representation follows from the other exactly: their information has no bound")
    free = (len(x) - 1 - np.arange(left.shape[1] + right.shape[1])) / 2
    chance = digamma(free[: left.shape[1]]).sum() + digamma(free[: right.shape[1]]).sum() - digamma(free).sum()
    return float(-np.log1p(-(found**2)).sum() - chance) / 2


def basis(side: Array) -> Array:
    """Orthonormal columns of the same span, centred."""
    left, length, _ = np.linalg.svd(standard(side), full_matrices=False)
    return left[:, length > 1e-7 * length[0]]


def shrunk_nats(x: Array, y: Array) -> float:
    """1/2 (log|Sx| + log|Sy| - log|S|) of the shrunk covariance S."""
    from sklearn.covariance import ledoit_wolf

    joint, cut = ledoit_wolf(standard(np.concatenate([x, y], axis=1)))[0], x.shape[1]
    left, right, whole = (np.linalg.slogdet(part)[1] for part in (joint[:cut, :cut], joint[cut:, cut:], joint))
    return float(left + right - whole) / 2


def ksg(x: Array, y: Array, *, k: int = 3, dimensions: int = DIMENSIONS, seed: int = 0) -> Information:
    """I(x; y) from distances to the k-th neighbour (Kraskov, Stoegbauer and Grassberger, Physical Review E 2004, first form).

    Each side is reduced to its `dimensions` first principal components; what is in none of them is missed. It may be slightly
    below 0, and says too little where much is shared in several dimensions: of 0.72 nats in 5 + 5 of them, 0.51 from 1,000 rows.
    ValueError where rows are equal, between which there is no distance.
    """
    x, y = checked(x, y)
    if not 1 <= k < len(x) // 4:
        raise ValueError(f"k={k}: expected a neighbour from 1 to {len(x) // 4 - 1} for {len(x)} rows")
    if dimensions < 1:
        raise ValueError(f"dimensions={dimensions}: expected at least 1")
    x, y = reduced(x, dimensions), reduced(y, dimensions)
    return from_halves(lambda a, b: ksg_nats(a, b, k=k), x, y, f"KSG, k = {k}", seed)


def ksg_nats(x: Array, y: Array, *, k: int) -> float:
    """psi(k) + psi(N) - <psi(nx + 1) + psi(ny + 1)>, n counted strictly inside the k-th neighbour's distance (maximum norm)."""
    from scipy.spatial import KDTree
    from scipy.special import digamma

    distance = KDTree(np.concatenate([x, y], axis=1)).query(np.concatenate([x, y], axis=1), k + 1, p=np.inf)[0][:, k]
    if not distance.all():
        raise ValueError(f"{int((distance == 0).sum())} rows equal {k} others in both; KSG needs numbers that differ")
    # The next smaller distance makes "at most" mean "less than".
    inside = np.nextafter(distance, 0)
    counts = [KDTree(side).query_ball_point(side, inside, p=np.inf, return_length=True) for side in (x, y)]
    # A row counts itself, which is the 1 of nx + 1.
    return float(digamma(k) + digamma(len(x)) - np.mean(digamma(counts[0]) + digamma(counts[1])))


def infonce(x: Array, y: Array, *, width: int = 32, steps: int = 400, seed: int = 0) -> Information:
    """A lower bound of I(x; y): how well a trained critic finds each held-out row's other side among all (van den Oord 2018).

    A quarter of the rows is held out, a quarter chooses when the critic, two small networks, has learnt enough; before its first
    step it knows nothing, and the bound is 0. The ceiling is the logarithm of the held-out rows.
    """
    x, y = checked(x, y)
    order = np.random.default_rng(seed).permutation(len(x))
    train, valid, test = np.split(order, [len(x) // 2, len(x) // 2 + len(x) // 4])
    x, y = (standard(side, of=side[train]) for side in (x, y))
    scores = trained_critic(x, y, train, valid, width=width, steps=steps, seed=seed)(test)
    return of_rows(pair_nats(scores), None, "InfoNCE", float(np.log(len(test))), seed)


def of_label(x: Array, label: Array, *, groups: Array | None = None, folds: int = 5, seed: int = 0) -> Information:
    """A lower bound of I(x; label): H(label) less the cross-entropy of a classifier, logistic regression, on rows it did not see.

    groups: what must be held out together (a speaker); the interval then resamples groups. A single group counts as none. The
    ceiling is H(label). What only another classifier could read is missed.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold

    (x,) = checked(x)
    label = np.unique(np.asarray(label), return_inverse=True)[1]
    if len(label) != len(x):
        raise ValueError(f"{len(x)} rows but {len(label)} labels")
    count = np.bincount(label)
    if len(count) < 2 or count.min() < 2 * folds:
        raise ValueError(f"{len(count)} classes, the smallest of {count.min()} rows: expected two, of {2 * folds} rows or more")
    own = codes_of(groups, len(x))
    share, said = np.log(count / len(label)), np.zeros(len(x))
    outer = StratifiedGroupKFold(min(folds, int(own.max()) + 1), shuffle=True, random_state=seed)
    inner = StratifiedGroupKFold(3, shuffle=True, random_state=seed)
    for train, test in outer.split(x, label, own):
        # The penalty is chosen as the classifier is judged: on groups, where there are enough of them.
        units = own[train] if len(np.unique(own[train])) > 2 else np.arange(len(train))
        chosen = list(inner.split(x[train], label[train], units))
        search = GridSearchCV(LogisticRegression(max_iter=1000), {"C": PENALTIES}, scoring=mean_log_share, cv=chosen)
        search.fit(standard(x[train]), label[train])
        said[test] = log_share(search.best_estimator_, standard(x[test], of=x[train]), label[test])
    return of_rows(said - share[label], groups, "classifier bound", float(-(np.exp(share) * share).sum()), seed)


def log_share(classifier: Any, x: Array, label: Array) -> Array:
    """What a classifier gives each row's own class, in nats below 0; little for a class that it has never seen."""
    known = dict(zip(classifier.classes_.tolist(), classifier.predict_proba(x).T, strict=True))
    own = np.array([known[each][row] if each in known else 0.0 for row, each in enumerate(label.tolist())])
    return np.log(np.maximum(own, SMALLEST))


def mean_log_share(classifier: Any, x: Array, label: Array) -> float:
    """By which the penalty is chosen."""
    return float(log_share(classifier, x, label).mean())


def of_rows(each: Array, groups: Array | None, estimator: str, ceiling: float, seed: int) -> Information:
    """The mean of what each held-out row says, and a bootstrap over rows or groups.

    The critic and its candidates stay as they are: rows drawn twice among the candidates would be each other's false negatives.
    """
    low, high = crossed_bootstrap(each[None, None], groups, draws=4000, seed=seed).interval()
    return Information(float(each.mean()), low, high, len(each), estimator, ceiling)


def from_halves(estimate: Estimator, x: Array, y: Array, name: str, seed: int) -> Information:
    """An estimate of all rows, and an interval from halves of them drawn without replacement.

    A bootstrap draws rows twice, which for neighbours are at distance 0 and for correlations count double: both then see
    information that is not there. A half differs from the whole as the whole does from the truth (the delete-half jackknife, Shao
    and Wu, Annals of Statistics 1989), so the spread of the halves about their own mean is the estimate's; their bias, which is
    that of fewer rows, does not enter.
    """
    from scipy.special import ndtri

    random, value = np.random.default_rng(seed), estimate(x, y)
    halves = [random.permutation(len(x))[: len(x) // 2] for _ in range(HALVES)]
    reach = float(ndtri((1 + LEVEL) / 2) * np.std([estimate(x[rows], y[rows]) for rows in halves], ddof=1))
    return Information(value, value - reach, value + reach, len(x), name)


def checked(*sides: Array) -> list[Array]:
    """Each side as float64 `[N D]`; ValueError for too few rows, unequal numbers of them, NaN and columns that never change."""
    found = []
    for place, side in enumerate(sides, start=1):
        wide = np.asarray(side, np.float64)
        wide = wide[:, None] if wide.ndim == 1 else wide
        if wide.ndim != 2 or not wide.shape[1]:
            raise ValueError(f"representation {place} has shape {np.shape(side)}; expected [N D] or [N]")
        if len(wide) < LEAST:
            raise ValueError(f"{len(wide)} rows are too few to estimate information from; expected {LEAST} or more")
        if not np.isfinite(wide).all():
            row = int(np.argmin(np.isfinite(wide).all(axis=1)))
            raise ValueError(f"representation {place}, row {row} is not finite; leave out rows that lack it")
        constant = np.flatnonzero(np.ptp(wide, axis=0) == 0)
        if len(constant):
            raise ValueError(
                f"representation {place}: {len(constant)} columns never change, the first is {constant[0]}: leave out"
            )
        found.append(wide)
    if len({len(each) for each in found}) > 1:
        raise ValueError(f"rows are paired by position, but their numbers differ: {', '.join(str(len(each)) for each in found)}")
    return found


def standard(side: Array, of: Array | None = None) -> Array:
    """Columns of mean 0 and deviation 1 by the rows of `of`, or their own; one that never changes there stays 0."""
    known = side if of is None else of
    deviation = known.std(axis=0)
    return (side - known.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)


def reduced(side: Array, dimensions: int) -> Array:
    """The first principal components of standardised columns."""
    wide = standard(side)
    if wide.shape[1] <= dimensions:
        return wide
    _, _, directions = np.linalg.svd(wide, full_matrices=False)
    return wide @ directions[:dimensions].T
