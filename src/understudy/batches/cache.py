"""Cache: what a view makes of each row, prepared when it is first asked for and kept while all of it fits."""

import numpy as np
from numpy.typing import NDArray

from understudy.batches.ahead import fields_of
from understudy.corpus.corpus import Corpus
from understudy.prepare.view import FieldArrays, View

CACHE_BYTES = 2**30
"""The fields of one view are kept for the loader's life while all rows', padded to the longest, stay below this."""
BLOCK = 256
"""Rows that are prepared together."""
VIDEO_BLOCK = 8
"""The same of video, where a row is large and slow."""


class Cache:
    """The fields of `rows` (positions in the corpus) by place. `kept` is None once not all would fit; `whole`: all are there.

    Rows that share a cell share its fields: `rows` is then one row an item, which is found by the `slot` of each place.
    """

    def __init__(self, view: View, corpus: Corpus, modality: str, rows: NDArray[np.intp]) -> None:
        self.view, self.corpus, self.modality, self.rows = view, corpus, modality, rows
        self._slot: NDArray[np.intp] | None = None
        if corpus.modalities[modality].shared:
            _, first, self._slot = np.unique(corpus.items(modality)[rows], return_index=True, return_inverse=True)
            self.rows = rows = rows[first]
        self.block = VIDEO_BLOCK if view.kind == "video" else BLOCK
        self._held, self.whole = np.zeros(len(rows), np.bool_), False
        self.kept: FieldArrays | None = {}
        # Whether there is room is known before the first batch, from rows all over.
        self.fill(np.unique(np.linspace(0, len(rows) - 1, min(self.block, len(rows))).astype(np.intp)))

    def missing(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """The slots of those of them that are not there yet, each once."""
        slots = places if self._slot is None else self._slot[places]
        return np.unique(slots[~self._held[slots]])

    def fill(self, places: NDArray[np.intp]) -> None:
        """Prepare the rows at these slots, in blocks."""
        for start in range(0, len(places), self.block):
            if self.kept is not None:
                some = places[start : start + self.block]
                self._put(some, fields_of(self.view, self.corpus, self.modality, self.rows[some], None))

    def take(self, places: NDArray[np.intp]) -> FieldArrays:
        """Their fields, which must be there."""
        assert self.kept is not None
        slots = places if self._slot is None else self._slot[places]
        return {name: values[slots] for name, values in self.kept.items()}

    def _put(self, places: NDArray[np.intp], found: FieldArrays) -> None:
        assert self.kept is not None
        ragged = "mask" in found
        steps = found["mask"].shape[1] if ragged else 1
        longest = max(steps, self.kept["mask"].shape[1] if ragged and self.kept else 1)
        if sum(values.nbytes for values in found.values()) / len(places) / steps * longest * len(self.rows) > CACHE_BYTES:
            self.kept = None
            return
        for name, values in found.items():
            shape = (len(self.rows), longest, *values.shape[2:]) if ragged else (len(self.rows), *values.shape[1:])
            if name not in self.kept or self.kept[name].shape != shape:
                # Memory that nothing is written to takes none.
                wider = np.zeros(shape, values.dtype)
                if name in self.kept:
                    wider[self._held, : self.kept[name].shape[1]] = self.kept[name][self._held]
                self.kept[name] = wider
            if ragged:
                self.kept[name][places, :steps] = values
            else:
                self.kept[name][places] = values
        self._held[places] = True
        self.whole = bool(self._held.all())
