"""Metrics of whole splits, in plain NumPy and float64. Shares are in [0, 1]; the primary metric comes first."""

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.tasks.calibration import reliability
from understudy.tasks.entries import credit

Array = NDArray[Any]

SMALLEST = 1e-12
"""Probabilities are at least this in the log-likelihood, so that one certain mistake costs 27.6 nats and not infinity."""
ROWS_AT_ONCE = 1024
"""Rows of thousands of classes that are taken apart in float64 together."""
SIMS_CUTS = ((0.0,), (-0.1, 0.1), (-0.7, -0.1, 0.1, 0.7))
"""Upper ends of all classes but the last, by 2, 3 and 5 classes of CH-SIMS."""


def regression_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """MAE and RMSE in the target's unit, Pearson correlation and R2; nothing is clipped.

    `corr` of a constant prediction or target is NaN, with a warning; so is `r2` of a constant target.
    """
    p, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    varies = float(((y - y.mean()) ** 2).sum())
    return {
        "mae": float(np.abs(p - y).mean()),
        "rmse": float(np.sqrt(((p - y) ** 2).mean())),
        "corr": correlation(p, y),
        "r2": float(1 - ((p - y) ** 2).sum() / varies) if varies > 0 else float("nan"),
    }


def correlation(p: Array, y: Array) -> float:
    """Pearson's r in [-1, 1]; NaN with a warning where one side is constant."""
    for values, name in ((p, "prediction"), (y, "target")):
        if np.ptp(values) == 0:
            warnings.warn(f"the {name} is constant ({values[0]:g}), so it has no correlation: NaN", RuntimeWarning, stacklevel=3)
            return float("nan")
    a, b = p - p.mean(), y - y.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1, 1))


def sentiment_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """Accuracy and weighted F1 in the field's two binary readings, and in 7 and 5 classes; targets in [-3, 3].

    has0: negative against non-negative, all rows. non0: negative against positive, rows whose *truth* is 0 dropped; a
    prediction of exactly 0 is negative there (ours). acc7, acc5: clipped to +-3, +-2 and rounded, half to even (ours).
    acc7_binned: the other rule in use, where only an exact 0 is neutral. Rules of has0, non0 and acc7 as in MMSA's
    `metricsTop.py`, of the bins as in the CMU-MultimodalSDK README.
    """
    p, y = np.asarray(prediction, np.float64), np.asarray(target, np.float64)
    clear = y != 0
    truth_non0, said_non0 = y[clear] > 0, p[clear] > 0
    truth_has0, said_has0 = y >= 0, p >= 0
    return {
        "acc2_has0": share(truth_has0 == said_has0),
        "acc2_non0": share(truth_non0 == said_non0),
        "f1_has0": weighted_f1(truth_has0, said_has0),
        "f1_non0": weighted_f1(truth_non0, said_non0),
        "acc7": share(rounded(p, 3) == rounded(y, 3)),
        "acc7_binned": share(binned(p) == binned(y)),
        "acc5": share(rounded(p, 2) == rounded(y, 2)),
        "n_has0": float(len(y)),
        "n_non0": float(clear.sum()),
    }


def sims_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """CH-SIMS: accuracy in 2, 3 and 5 classes, weighted F1 of the 2; targets in [-1, 1]. As in MMSA's `metricsTop.py`.

    2: at most 0, or above. 3: cut at -0.1 and 0.1. 5: cut at -0.7, -0.1, 0.1 and 0.7; a class holds its upper end. Predictions
    beyond +-1 fall into the outer classes. mae_clipped and corr_clipped are MAE and Corr as published, of predictions clipped to
    +-1; `mae` and `corr` of every regression stay unclipped.
    """
    # Cut in float32, as MMSA does: as float64, the label 0.1 of a float32 file would lie above the cut at 0.1.
    p, y = np.asarray(prediction, np.float32), np.asarray(target, np.float32)
    cuts = {len(ends) + 1: np.array(ends, np.float32) for ends in SIMS_CUTS}
    within = np.clip(p, -1, 1).astype(np.float64)
    said, truth = ({n: np.digitize(values, ends, right=True) for n, ends in cuts.items()} for values in (p, y))
    return {
        "acc2": share(truth[2] == said[2]),
        "acc3": share(truth[3] == said[3]),
        "acc5": share(truth[5] == said[5]),
        "f1": weighted_f1(truth[2], said[2]),
        "mae_clipped": float(np.abs(within - target).mean()),
        "corr_clipped": correlation(within, np.asarray(target, np.float64)),
    }


def share(hits: Array) -> float:
    """The share of True; NaN of no rows."""
    return float(hits.mean()) if len(hits) else float("nan")


def rounded(values: Array, limit: int) -> Array:
    """Class of a sentiment: clipped to [-limit, limit], then the nearest integer, half to even."""
    return np.rint(np.clip(values, -limit, limit))


def binned(values: Array) -> Array:
    """Class of a sentiment by the bins of the CMU-MultimodalSDK: a < -2, [-2, -1), [-1, 0), 0, (0, 1], (1, 2], > 2."""
    return np.where(values > 0, np.ceil(np.minimum(values, 3)), np.floor(np.maximum(values, -3)))


def f1_by_class(truth: Array, said: Array) -> tuple[Array, Array]:
    """F1 and truth count of each class that occurs in either argument, in ascending order."""
    classes = np.union1d(truth, said)[:, None]
    is_true, is_said = classes == truth, classes == said
    hits = (is_true & is_said).sum(axis=1)
    return 2 * hits / (is_true.sum(axis=1) + is_said.sum(axis=1)), is_true.sum(axis=1)


def weighted_f1(truth: Array, said: Array) -> float:
    """Mean F1 of the classes, weighted by the *truth's* counts, so the two arguments must not be swapped."""
    f1, count = f1_by_class(truth, said)
    return float((f1 * count).sum() / len(truth)) if len(truth) else float("nan")


def classification_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """Of probabilities `[N C]`: accuracy (the WA of emotion recognition), and the mean recall of the classes that occur (its UA).

    absent_classes: how many classes no row is of, which are in neither mean. macro_f1 is over classes that occur, weighted_f1
    weighted by the truth's counts, nll in nats, ece the calibration error. Of two classes the second is the positive one:
    f1_positive is its F1, NaN where no row is of it nor said to be.
    """
    p, y = np.asarray(prediction, np.float64), np.asarray(target)
    said, count = p.argmax(axis=1), np.bincount(y, minlength=p.shape[1])
    recall = np.bincount(y, said == y, minlength=len(count))[count > 0] / count[count > 0]
    found = {
        "accuracy": share(said == y),
        "balanced_accuracy": float(recall.mean()),
        "macro_f1": float(f1_by_class(y, said)[0].mean()),
        "weighted_f1": weighted_f1(y, said),
        "nll": float(-np.log(likelihood_of(p, y)).mean()),
        "ece": reliability(p, y).error,
        "absent_classes": float((count == 0).sum()),
    }
    return found | ({"f1_positive": f1_positive(y == 1, said == 1)} if len(count) == 2 else {})


def choice_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """Of probabilities `[N K]` of the choices: accuracy, nll in nats and ece, the calibration error."""
    p, y = np.asarray(prediction, np.float64), np.asarray(target)
    nll = float(-np.log(likelihood_of(p, y)).mean())
    return {"accuracy": share(p.argmax(axis=1) == y), "nll": nll, "ece": reliability(p, y).error}


def likelihood_of(p: Array, y: Array) -> Array:
    """What probabilities `[N C]` give the truth of each row, never less than `SMALLEST`."""
    return np.maximum(p[np.arange(len(y)), y], SMALLEST)


def multilabel_metrics(prediction: Array, target: Array) -> dict[str, float]:
    """Of probabilities `[N C]` and entries `[N E 3]`; never a second array of thousands of columns.

    accuracy: the mean credit of the likeliest class. ceiling: that of the best one, which a class that is not among the C keeps
    below 1. bce: binary cross-entropy with the soft targets, summed over the classes, in nats.
    """
    ceiling = np.where(target[..., 0] >= 0, target[..., 2], 0).max(axis=1, initial=0)
    found = [credit(prediction.argmax(axis=1), target), ceiling, binary_cross_entropy(prediction, target)]
    return dict(zip(("accuracy", "ceiling", "bce"), (float(each.mean(dtype=np.float64)) for each in found), strict=True))


def binary_cross_entropy(prediction: Array, target: Array) -> NDArray[np.float64]:
    """Of each row `[N]`, summed over classes: as if no class were named, then what the named ones change of that."""
    found = np.zeros(len(prediction))
    for start in range(0, len(prediction), ROWS_AT_ONCE):
        p = np.clip(prediction[start : start + ROWS_AT_ONCE].astype(np.float64), SMALLEST, 1 - SMALLEST)
        index, soft = target[start : start + ROWS_AT_ONCE, :, 0].astype(np.intp), target[start : start + ROWS_AT_ONCE, :, 1]
        named = np.take_along_axis(p, np.maximum(index, 0), axis=1)
        change = np.where(index >= 0, soft * (np.log1p(-named) - np.log(named)), 0)
        found[start : start + len(p)] = change.sum(axis=1) - np.log1p(-p).sum(axis=1)
    return found


def f1_positive(truth: Array, said: Array) -> float:
    """F1 of True; NaN where neither says it."""
    both = truth.sum() + said.sum()
    return float(2 * (truth & said).sum() / both) if both else float("nan")
