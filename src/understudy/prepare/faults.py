"""Faults: rows whose cells cannot be read, noted with a reason, so that the others can be answered."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from understudy.prepare.cells import Cells

Read = Callable[[pa.Table, int], Cells]
"""Some rows, and the number of their first, as cells; ValueError or FileNotFoundError where one of them cannot be read."""


@dataclass(frozen=True)
class Fault:
    """What could not be read: the row as the user counts it, the modality that is absent there, and why."""

    row: int
    modality: str
    reason: str


def read_around(table: pa.Table, read: Read, modality: str, first_row: int) -> tuple[Cells, list[Fault]]:
    """The cells of every row, absent where they cannot be read, and the faults of those rows."""
    try:
        return read(table, first_row), []
    except (ValueError, FileNotFoundError):
        faults = list(search(table, read, modality, first_row))
    bad = {fault.row - first_row for fault in faults}
    # A row that is taken from nowhere is null.
    return read(table.take(pa.array([None if i in bad else i for i in range(len(table))], pa.int64())), first_row), faults


def search(table: pa.Table, read: Read, modality: str, first_row: int) -> Iterator[Fault]:
    """The rows that cannot be read by themselves, by halves."""
    try:
        read(table, first_row)
    except (ValueError, FileNotFoundError) as error:
        if len(table) == 1:
            yield Fault(first_row, modality, str(error))
            return
        half = len(table) // 2
        yield from search(table.slice(0, half), read, modality, first_row)
        yield from search(table.slice(half), read, modality, first_row + half)
