"""What importers of features share: faults that name the file, steps without padding, and counts of what was wrong."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Every ValueError inside starts with the path."""
    try:
        yield
    except ValueError as error:
        raise error if str(error).startswith(str(path)) else ValueError(f"{path}: {error}") from None


class Cleaner:
    """Counts what is wrong with the features of one modality, and makes rows that hold nothing absent."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.unknown = self.zero = self.cut = self.missing = 0

    def clean(self, steps: NDArray[Any]) -> NDArray[np.float32] | None:
        """`[T D]` float32; numbers that are not finite are NaN: views replace them and mask them. None where nothing is left."""
        with np.errstate(over="ignore"):
            found = np.asarray(steps, np.float32)
        wrong = ~np.isfinite(found)
        if wrong.any():
            self.unknown += int(wrong.sum())
            found = np.where(wrong, np.float32(np.nan), found)
        if not np.where(wrong, 0, found).any():
            self.zero += 1
            return None
        return found

    def said(self) -> dict[str, str]:
        """For `schema.about`; empty where nothing was wrong."""
        found = [f"{self.unknown} numbers not finite, kept as missing (replaced and masked by the view)"] if self.unknown else []
        found += [f"{self.missing} rows have no entry and are absent"] if self.missing else []
        found += [f"{self.zero} rows hold nothing but zeros and are absent"] if self.zero else []
        found += [f"{self.cut} rows have numbers beyond their stated length, cut off"] if self.cut else []
        return {self.name: "; ".join(found)} if found else {}


def unpadded(steps: NDArray[Any]) -> NDArray[Any]:
    """`[T D]` without the steps of zeros before and after its features."""
    used = np.flatnonzero((steps != 0).any(axis=1))
    return steps[used[0] : used[-1] + 1] if len(used) else steps[:0]


def mean_steps(rows: Sequence[NDArray[np.float32] | None], width: int) -> NDArray[np.float32]:
    """The mean over each row's known steps `[N D]`; NaN where there are none."""
    means = np.full((len(rows), width), np.nan, np.float32)
    for row, each in enumerate(rows):
        if each is not None:
            known = ~np.isnan(each)
            total = np.where(known, each, 0).sum(axis=0, dtype=np.float64)
            means[row] = np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
    return means
