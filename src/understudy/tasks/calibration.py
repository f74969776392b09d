"""Calibration: do probabilities mean what they say, and do predicted numbers follow the true ones? Torch-free."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
HOTTEST = 20.0
"""The bound of a temperature and of its inverse."""
GROUPS, LEAST = 10, 20
"""Groups of rows with like predictions that have an error of their own, and the rows that one holds at least."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """Per bin: its lower `edge`, the rows in it (`count`), their mean `confidence` and `accuracy` (NaN where empty)."""

    edge: Array
    count: Array
    confidence: Array
    accuracy: Array

    @property
    def error(self) -> float:
        """Expected calibration error, in [0, 1]: mean |accuracy - confidence| over rows."""
        gap = np.abs(np.nan_to_num(self.accuracy - self.confidence))
        return float((gap * self.count).sum() / self.count.sum())


def reliability(prediction: Array, target: Array, *, bins: int = 15) -> Reliability:
    """Equal-width bins `(low, high]` of the confidence, the largest probability of a row.

    Guo et al., On Calibration of Modern Neural Networks, ICML 2017.
    """
    confidence = prediction.max(axis=1).astype(np.float64)
    right = (prediction.argmax(axis=1) == target).astype(np.float64)
    # The rounding keeps a confidence of float32 0.2 in the bin that ends at 0.2.
    place = np.clip(np.ceil(np.round(confidence * bins, 5)).astype(np.int64) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, confidence, minlength=bins) / count
        accuracy = np.bincount(place, right, minlength=bins) / count
    return Reliability(np.arange(bins) / bins, count, mean_confidence, accuracy)


@dataclass(frozen=True, eq=False)
class Trend:
    """Rows of like prediction together: their mean `prediction`, mean `target` and the target's `spread` (deviation)."""

    prediction: Array
    target: Array
    spread: Array


def trend(prediction: Array, target: Array, *, parts: int = 10) -> Trend:
    """Predicted against true in at most `parts` equally large groups, from the lowest predictions to the highest."""
    order = np.argsort(prediction, kind="stable")
    groups = [rows for rows in np.array_split(order, min(parts, len(order))) if len(rows)]
    means = [(prediction[rows].mean(), target[rows].mean(), target[rows].std()) for rows in groups]
    return Trend(*np.asarray(means, dtype=np.float64).reshape(-1, 3).T)


def temperature_of(logits: Array, target: Array) -> float:
    """The temperature under which held-out rows `[N C]` are likeliest; between 1/20 and 20, 1 of no row."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    if not len(target):
        return 1.0

    def cost(level: float) -> float:
        return -float(log_softmax(logits / np.exp(level), axis=1)[np.arange(len(target)), target].mean())

    bound = float(np.log(HOTTEST))
    found: Any = minimize_scalar(cost, bounds=(-bound, bound), method="bounded")
    return float(np.exp(found.x))


def local_errors(predicted: Array, errors: Array) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Of held-out rows: edges between groups of like predictions, and each group's mean |error|; above 0, to divide by."""
    order = np.argsort(predicted, kind="stable")
    groups = np.array_split(order, max(1, min(GROUPS, len(order) // LEAST)))
    edges = [float(predicted[group].max()) for group in groups[:-1]]
    smallest = max(float(errors.mean()) * 1e-3, 1e-12)
    return tuple(edges), tuple(max(float(errors[group].mean()), smallest) for group in groups)
