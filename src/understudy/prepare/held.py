"""Held: the values of ragged cells on their way into a corpus, on disk once they are many. Torch-free."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import SpooledTemporaryFile, gettempdir
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from understudy.prepare.cells import TEXTS, Cells, Kind
from understudy.process.whole import writing

MEMORY = 2**26
"""Bytes that stay in memory; more of them go to a nameless file in the folder of temporary files (TMPDIR)."""


class Place(NamedTuple):
    """Where a value lies, and what it is: bytes where it has no shape."""

    start: int
    length: int
    dtype: np.dtype[Any] | None = None
    shape: tuple[int, ...] = ()


class Held(Sequence[Any]):
    """One array, encoded file or None (absent) a row; read back, a value is a copy of its own.

    So an import needs no more memory for more rows. Nothing is left behind, however the process ends.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=MEMORY)  # noqa: SIM115 (it lives as long as its rows)
        self._rows: list[Place | None] = []
        self._end = 0

    def append(self, value: bytes | NDArray[Any] | None) -> None:
        """A row."""
        if value is None:
            self._rows.append(None)
            return
        encoded = isinstance(value, bytes)
        content = value if encoded else value.tobytes()
        with writing(Path(gettempdir())):
            self._file.seek(self._end)
            self._file.write(content)
        place = Place(self._end, len(content))
        self._rows.append(place if encoded else place._replace(dtype=value.dtype, shape=value.shape))
        self._end += len(content)

    def repeat(self, row: int) -> None:
        """A row with the value of an earlier one, which is held once."""
        self._rows.append(self._rows[row])

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, row: Any) -> Any:
        place = self._rows[row]
        if place is None:
            return None
        self._file.seek(place.start)
        content = self._file.read(place.length)
        return content if place.dtype is None else np.frombuffer(content, place.dtype).reshape(place.shape)

    @property
    def nbytes(self) -> int:
        """Of all rows, repeated ones too."""
        return sum(place.length for place in self._rows if place is not None)

    def cells(self, kind: Kind) -> Cells:
        """The rows as cells."""
        return Cells(kind, self, np.array([place is not None for place in self._rows], dtype=bool))


def ragged(kind: Kind, values: Iterable[Any]) -> Cells:
    """Cells of a ragged kind, absent where there is None; words stay in memory, other values are held as they come."""
    if kind in TEXTS:
        rows = list(values)
        return Cells(kind, rows, np.array([row is not None for row in rows], dtype=bool))
    held = Held()
    for value in values:
        held.append(value)
    return held.cells(kind)
