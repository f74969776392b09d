"""Items: what rows share, such as the picture of many questions. Each lies once, in shards of its own; rows hold its number."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.arrow import LENGTHS, Rows, column_type, gatherer, placed, presence, to_column
from understudy.corpus.content import of_digests
from understudy.prepare.cells import Cells, Modality
from understudy.process.document import Shape
from understudy.process.whole import sha256

SHARD: Shape = {"file": str, "rows": int, "bytes": int, "sha256": str}
"""What corpus.json says of a file of rows or of items."""
AT_ONCE = 2**28
"""Bytes of items that are in memory until they are a shard."""


def item_schema(name: str, modality: Modality) -> pa.Schema:
    """The one column of a modality's items."""
    return pa.schema([pa.field(f"in.{name}", column_type(modality), nullable=False)])


class ItemWriter:
    """The items of one modality on their way into a folder; equal ones, wherever they come again, are one."""

    def __init__(self, folder: Path, name: str, modality: Modality) -> None:
        self.folder, self.name, self.modality = folder, name, modality
        self.shards = list[dict[str, Any]]()
        self._known: dict[bytes, int] = {}
        self._pending: list[pa.Array] = []

    def numbers(self, cells: Cells) -> pa.Array:
        """Of each row's item, null where it is absent. Those that are new are written."""
        found, new = np.zeros(len(cells), np.uint32), list[int]()
        digests = of_digests(cells, slice(0, len(cells)))
        for row in np.flatnonzero(cells.present).tolist():
            key, known = digests[row].tobytes(), len(self._known)
            found[row] = self._known.setdefault(key, known)
            if len(self._known) > known:
                new.append(row)
        if new:
            self._pending.append(to_column(cells.take(new), self.modality))
        if sum(each.nbytes for each in self._pending) > AT_ONCE:
            self.cut()
        return pa.array(found, mask=~cells.present)

    def cut(self) -> None:
        """Write the items that came since the last shard as one."""
        if self._pending:
            schema, held = item_schema(self.name, self.modality), column_type(self.modality)
            batches = [pa.record_batch([each.cast(held)], schema) for each in self._pending]
            self._pending = []
            self.shards.append(write_shard(self.folder / f"items-{self.name}-{len(self.shards)}.arrow", batches))


def write_shard(path: Path, pending: list[pa.RecordBatch]) -> dict[str, Any]:
    """All rows as one record batch, uncompressed, so that reading it is mapping it; what corpus.json says of the file."""
    batch = pending[0]
    if len(pending) > 1:
        (batch,) = pa.Table.from_batches(pending).combine_chunks().to_batches()
    pending.clear()
    with path.open("wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)
    pa.default_memory_pool().release_unused()
    return {"file": path.name, "rows": len(batch), "bytes": path.stat().st_size, "sha256": sha256(path)}


class Items:
    """The items of one modality, memory-mapped. columns: one a shard."""

    def __init__(self, columns: Sequence[pa.Array], modality: Modality) -> None:
        self.columns, self.modality = columns, modality
        self._ends = np.cumsum([len(each) for each in columns])
        self._gather = [gatherer(each, modality) for each in columns]

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def of(self, numbers: Rows, rows: Rows) -> list[Any]:
        """The values of these rows, whose numbers are among `numbers`; None for -1. Rows of one item have one object."""
        distinct, back = np.unique(numbers[rows], return_inverse=True)
        there = distinct[distinct >= 0]
        shards = np.searchsorted(self._ends, there, side="right")
        parts = []
        for shard in np.unique(shards).tolist():
            places = np.flatnonzero(shards == shard)
            parts.append((places, self._gather[shard](there[places] - self._ends[shard] + len(self.columns[shard]))))
        values = [None] * (len(distinct) - len(there)) + placed(self.modality.kind, parts)
        return [values[place] for place in back.tolist()]

    def lengths(self, numbers: Rows) -> Rows:
        """Of each number's item, 0 for -1."""
        known = np.concatenate([[0], *(LENGTHS[self.modality.kind](column) for column in self.columns)])
        return known[numbers + 1]


def numbers_of(column: pa.Array) -> NDArray[np.intp]:
    """What `ItemWriter.numbers` gave, -1 where null."""
    return np.where(presence(column), column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.intp), -1)
