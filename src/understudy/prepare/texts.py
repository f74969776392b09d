"""Texts: strings as Arrow holds them, a Python string each only once one is asked for."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa


class Texts(Sequence[Any]):
    """One string or None a row."""

    def __init__(self, array: pa.Array) -> None:
        self.array = array

    @cached_property
    def _listed(self) -> list[str | None]:
        return self.array.to_pylist()

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, row: Any) -> Any:
        return self._listed[row]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._listed == list(other)

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    @property
    def nbytes(self) -> int:
        """Of the strings."""
        return self.array.nbytes


def array_of(values: Sequence[str | None]) -> pa.Array:
    """The strings as an Arrow array with offsets of 64 bits."""
    found = values.array if isinstance(values, Texts) else pa.array(values, pa.large_string())
    return found.cast(pa.large_string())
