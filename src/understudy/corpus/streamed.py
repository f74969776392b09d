"""Streamed: many rows of one modality as cells that are read some at a time, for who looks at each of them once and in turn."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.prepare.cells import Cells

ROWS, HEAVY_ROWS = 1024, 32
"""Rows that are in memory together: so many texts and sequences, fewer pictures and sounds."""
HEAVY = ("image", "audio", "video")
AT_ONCE = ("vector", "table")
"""Kinds whose rows are a few numbers, which are read together."""


def streamed(corpus: Corpus, modality: str, rows: NDArray[np.intp]) -> Cells:
    """What `corpus.cells` gives; memory does not grow with rows whose cells are large."""
    kind = corpus.modalities[modality].kind
    if kind in AT_ONCE:
        return corpus.cells(modality, rows)
    return Cells(kind, Streamed(corpus, modality, rows, HEAVY_ROWS if kind in HEAVY else ROWS), corpus.present(modality)[rows])


class Streamed(Sequence[Any]):
    """The values of rows, of which the last `block` that was asked for is in memory."""

    def __init__(self, corpus: Corpus, modality: str, rows: NDArray[np.intp], block: int) -> None:
        self.corpus, self.modality, self.rows, self.block = corpus, modality, rows, block
        self._number, self._values = -1, list[Any]()

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, row: Any) -> Any:
        if not 0 <= row < len(self.rows):
            raise IndexError(row)
        number, place = divmod(int(row), self.block)
        if number != self._number:
            some = self.rows[number * self.block : (number + 1) * self.block]
            self._number, self._values = number, self.corpus.cells(self.modality, some).values
        return self._values[place]
