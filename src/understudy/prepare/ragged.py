"""Rows of different lengths as one padded array with a mask."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


def pad(
    rows: Sequence[NDArray[Any] | None], *, step: tuple[int, ...] = (), dtype: DTypeLike = np.float32, filler: int = 0
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values `[N T *step]` and mask `[N T]`, T the longest row and at least 1; None (absent) is all 0.

    filler: what stands behind the end of a row that is there.
    """
    lengths = np.array([0 if row is None else len(row) for row in rows], dtype=np.int64)
    steps = max(1, int(lengths.max(initial=1)))
    values = np.zeros((len(rows), steps, *step), dtype=dtype)
    for padded, row in zip(values, rows, strict=True):
        if row is not None:
            padded[: len(row)] = row
            padded[len(row) :] = filler
    return values, np.arange(steps) < lengths[:, None]
