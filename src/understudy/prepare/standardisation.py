"""Standardisation: mean and scale of each feature over train rows, applied to any rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

LIMIT = 10.0
"""Bound of a standardised value, in deviations: no ordinary one comes near it, and a broken sensor's would rule the batch."""


@dataclass(frozen=True, eq=False)
class Standardisation:
    """(x - mean) / scale of each feature, computed in float64; NaN (missing) becomes 0, which is the train mean."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def fit(chunks: Iterable[NDArray[Any]]) -> "Standardisation":
        """Over the finite cells of chunks `[n D]` read one after the other; ValueError when there is no chunk.

        A constant feature, or one without a finite cell, takes scale 1. Moments are merged as in Chan, Golub and LeVeque (1983).
        """
        merged: Moments | None = None
        for chunk in chunks:
            found = Moments.of(np.asarray(chunk, dtype=np.float64))
            merged = found if merged is None else merged.merge(found)
        if merged is None or not merged.rows:
            raise ValueError("no train row has this modality, so there is nothing to standardise it with")
        deviation = np.sqrt(merged.squares / np.maximum(merged.count, 1))
        varies = (merged.high > merged.low) & (deviation > 0) & np.isfinite(deviation)
        return Standardisation(np.where(np.isfinite(merged.mean), merged.mean, 0.0), np.where(varies, deviation, 1.0))

    def apply(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Values with the features last, standardised; ValueError for another number of features."""
        if values.shape[-1] != len(self.mean):
            raise ValueError(f"got {values.shape[-1]} features a row; this view was fitted on {len(self.mean)}")
        with np.errstate(over="ignore"):
            scores = np.subtract(values, self.mean, dtype=np.float64)
            scores /= self.scale
        # Bounds taken so leave NaN alone, and need no second array.
        np.maximum(np.minimum(scores, LIMIT, out=scores), -LIMIT, out=scores)
        scores[np.isnan(scores)] = 0.0
        return scores.astype(np.float32)

    def state(self) -> dict[str, list[float]]:
        """As JSON."""
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @staticmethod
    def restore(state: Mapping[str, list[float]]) -> "Standardisation":
        """What `state` wrote; ValueError unless both are as many numbers."""
        mean, scale = (np.array(state[part], dtype=np.float64) for part in ("mean", "scale"))
        if mean.ndim != 1 or mean.shape != scale.shape:
            raise ValueError(
                f"a standardisation with means of shape {mean.shape} and scales of {scale.shape}; expected one of each"
            )
        return Standardisation(mean, scale)


UNFITTED = Standardisation(np.zeros(0), np.ones(0))


@dataclass(frozen=True, eq=False)
class Moments:
    """Count, mean, sum of squared deviations and range of each feature over its finite cells."""

    rows: int
    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @staticmethod
    def of(values: NDArray[np.float64]) -> "Moments":
        """Of an array `[n D]`."""
        finite = np.isfinite(values)
        count = finite.sum(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.where(finite, values, 0.0).sum(axis=0) / np.maximum(count, 1)
            squares = (np.where(finite, values - mean, 0.0) ** 2).sum(axis=0)
        low = np.where(finite, values, np.inf).min(axis=0, initial=np.inf)
        high = np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf)
        return Moments(len(values), count, mean, squares, low, high)

    def merge(self, other: "Moments") -> "Moments":
        """Of both together."""
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        with np.errstate(over="ignore", invalid="ignore"):
            step = other.mean - self.mean
            squares = self.squares + other.squares + step**2 * self.count * share
            mean = self.mean + step * share
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return Moments(self.rows + other.rows, count, mean, squares, low, high)
