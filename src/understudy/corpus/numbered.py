"""Equal values as equal numbers, and back to the places where they stand; nothing is done a row at a time."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.intp]


def numbered(values: pa.Array | pa.ChunkedArray) -> Numbers:
    """A number a value, from 0 in the order in which they first appear, equal where the values are; -1 of null."""
    found = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return found.dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp)


class Members:
    """Where each number stands among `numbers` [N]; -1 is none."""

    def __init__(self, numbers: Numbers) -> None:
        self._rows = np.argsort(numbers, kind="stable")
        self._bounds = np.searchsorted(numbers[self._rows], np.arange(int(numbers.max(initial=-1)) + 2))

    @property
    def first(self) -> Numbers:
        """The first place of each number."""
        return self._rows[self._bounds[:-1]]

    def of(self, number: int | np.intp) -> Numbers:
        """Its places, in order."""
        return self._rows[self._bounds[number] : self._bounds[number + 1]]

    def of_several(self, numbers: Numbers) -> Numbers:
        """Of those of them that stand in more than one place, all places."""
        several = numbers[np.diff(self._bounds)[numbers] > 1]
        return np.concatenate([np.zeros(0, np.intp), *(self.of(number) for number in several)])
