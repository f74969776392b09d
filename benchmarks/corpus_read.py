"""Random batches with presence from a memory-mapped corpus, against the same six gathers from arrays in memory (no presence)."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from understudy.corpus import Corpus, Schema, write_corpus
from understudy.corpus.importers.mfeat import WIDTHS
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Regression

ROWS, BATCH, ROUNDS, BATCHES = 100_000, 64, 11, 400
ABSENT = 0.1


def measure(quick: bool) -> dict[str, Any]:
    """Median milliseconds a batch for both, and the median of the rounds' ratios; rounds alternate in one process."""
    rows, batches = (2_000, 50) if quick else (ROWS, BATCHES)
    random = np.random.default_rng(0)
    here = {name: random.random(rows) >= ABSENT for name in WIDTHS}
    arrays = {
        name: np.where(here[name][:, None], random.random((rows, w), np.float32), np.float32(0)) for name, w in WIDTHS.items()
    }
    chosen = [random.permutation(rows)[:BATCH] for _ in range(batches)]
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(
            Path(folder) / "corpus",
            Schema(Regression(), {name: Modality("vector", width=width) for name, width in WIDTHS.items()}),
            ids=[str(row) for row in range(rows)],
            targets=np.zeros(rows),
            cells={name: Cells("vector", arrays[name], here[name]) for name in WIDTHS},
        )
        mapped, memory = _from_corpus(corpus), _from_arrays(arrays)
        for one, other in zip(mapped(chosen[0]), memory(chosen[0]), strict=False):
            np.testing.assert_array_equal(one, other)
        rounds = [(_seconds(mapped, chosen), _seconds(memory, chosen)) for _ in range(ROUNDS + 1)][1:]
    return {
        "corpus_read_ratio": median(one / other for one, other in rounds),
        "corpus_read_ms": median(one for one, _ in rounds) / batches * 1e3,
        "memory_read_ms": median(other for _, other in rounds) / batches * 1e3,
        "rows": rows,
        "rounds": ROUNDS,
    }


Read = Callable[[np.ndarray], list[np.ndarray]]


def _from_corpus(corpus: Corpus) -> Read:
    def read(rows: np.ndarray) -> list[np.ndarray]:
        cells = [corpus.cells(name, rows) for name in WIDTHS]
        return [each.values for each in cells] + [each.present for each in cells]

    return read


def _from_arrays(arrays: dict[str, np.ndarray]) -> Read:
    def read(rows: np.ndarray) -> list[np.ndarray]:
        return [arrays[name][rows] for name in WIDTHS]

    return read


def _seconds(read: Read, chosen: list[np.ndarray]) -> float:
    start = time.perf_counter()
    for rows in chosen:
        read(rows)
    return time.perf_counter() - start


if __name__ == "__main__":
    print(measure(quick=False))
