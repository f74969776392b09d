"""Numbers at rest: codecs, rows of equal and of unequal length, and both as Arrow columns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.process.whole import sha256
from understudy.teachers.header import Shard


@dataclass(frozen=True, eq=False)
class Ragged:
    """N rows of unequal length: their steps [S ...] one after another, and where each row starts [N+1]."""

    steps: NDArray[Any]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.starts)

    def take(self, rows: NDArray[np.intp] | Sequence[int]) -> "Ragged":
        """These rows, in this order."""
        first = self.starts[:-1][rows]
        starts = starts_of(self.starts[1:][rows] - first)
        return Ragged(self.steps[np.repeat(first - starts[:-1], np.diff(starts)) + np.arange(starts[-1])], starts)

    @staticmethod
    def join(parts: "Sequence[Ragged]") -> "Ragged":
        """The rows of all of them."""
        return Ragged(np.concatenate([part.steps for part in parts]), starts_of(np.concatenate([part.lengths for part in parts])))


Columns = dict[str, Any]
"""Name -> array of N rows, or Ragged."""


def starts_of(lengths: Sequence[int] | NDArray[Any]) -> NDArray[np.int64]:
    """Where rows of these lengths start, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, dtype=np.int64))]).astype(np.int64)


def joined(parts: Sequence[Any]) -> Any:
    """The rows of several columns of one kind."""
    return Ragged.join(parts) if isinstance(parts[0], Ragged) else np.concatenate(parts)


def taken(column: Any, rows: Any) -> Any:
    """These rows of a column."""
    return column.take(rows) if isinstance(column, Ragged) else column[rows]


def encode(values: Any, name: str, codec: str) -> dict[str, Any]:
    """float32 [N D], or Ragged steps of D, as stored: int8 keeps 127 steps either side of 0 and one scale a row, or a step."""
    if isinstance(values, Ragged):
        return {part: Ragged(kept, values.starts) for part, kept in encode(values.steps, name, codec).items()}
    if codec != "int8":
        with np.errstate(over="ignore"):
            return {name: values.astype(codec)}
    largest = np.abs(values).max(axis=1, initial=0.0).astype(np.float32)
    scale = np.maximum(largest / np.float32(127), np.finfo(np.float32).tiny)
    return {name: np.rint(values / scale[:, None]).clip(-127, 127).astype(np.int8), f"{name}.scale": scale}


def decode(stored: Mapping[str, Any], name: str) -> Any:
    """What `encode` kept, as float32."""
    if isinstance(stored[name], Ragged):
        return Ragged(decode({part: kept.steps for part, kept in stored.items()}, name), stored[name].starts)
    values = stored[name].astype(np.float32, copy=False)
    return values * stored[f"{name}.scale"][..., None] if f"{name}.scale" in stored else values


def arrow_column(values: Any) -> pa.Array:
    """[N], [N D] or Ragged as one Arrow value a row."""
    if isinstance(values, Ragged):
        return pa.LargeListArray.from_arrays(pa.array(values.starts), arrow_column(values.steps))
    flat = pa.array(values.reshape(-1))
    return flat if values.ndim == 1 else pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def from_arrow(column: pa.Array) -> Any:
    """What `arrow_column` made, without copying numbers."""
    if isinstance(column, pa.LargeListArray):
        starts = column.offsets.to_numpy()
        return Ragged(from_arrow(column.values.slice(starts[0], starts[-1] - starts[0])), starts - starts[0])
    if isinstance(column, pa.FixedSizeListArray):
        return column.flatten().to_numpy().reshape(len(column), -1)
    return column.to_numpy(zero_copy_only=False)


def write_shard(path: Path, columns: Mapping[str, Any]) -> None:
    """The columns as an Arrow file; `id` is text."""
    arrays = {name: pa.array(v, pa.string()) if name == "id" else arrow_column(v) for name, v in columns.items()}
    table = pa.table(arrays)
    with pa.ipc.new_file(str(path), table.schema) as file:
        file.write_table(table)


def read_shard(path: Path, shard: Shard, types: Mapping[str, pa.DataType]) -> Columns:
    """A shard's columns without copying them; ValueError when it is missing, or is not what was written, in any byte.

    A shard of a store that recorded no sums is held against everything else that its header and Arrow's own format say.
    """
    try:
        if shard.sha256 not in (None, sha256(path)):
            raise ValueError("its SHA-256 is not the one in store.json")
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        table.validate(full=True)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise ValueError(f"store shard {path} cannot be read ({error}); delete the store and make it again") from None
    if table.num_rows != shard.rows:
        raise ValueError(f"store shard {path} has {table.num_rows} rows where store.json says {shard.rows}; make the store again")
    found = dict(zip(table.column_names, table.columns, strict=True))
    wrong = [name for name in {**types, **found} if name not in found or name not in types or found[name].type != types[name]]
    wrong = wrong or [name for name, column in found.items() if column.null_count]
    if wrong:
        raise ValueError(f"store shard {path} does not hold what store.json says: {', '.join(wrong)}; make the store again")
    return {name: from_arrow(column.combine_chunks()) for name, column in found.items()}
