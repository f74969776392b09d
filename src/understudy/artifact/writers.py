"""Writers of tables that come some rows at a time, by the ending of the file. No torch."""

import json
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute, csv, parquet

from understudy.prepare.pieces import even

ROW_GROUP = 2**17
"""Rows of a Parquet row group."""


def write_csv(tables: Iterable[pa.Table], path: Path) -> None:
    """Null becomes an empty cell, a list of numbers one column each: `embedding_image_0` ..."""
    put(map(flattened, tables), lambda schema: csv.CSVWriter(path, schema))


def flattened(table: pa.Table) -> pa.Table:
    """Without lists: a column for each of their numbers."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in to_dict(table).items():
        if pa.types.is_fixed_size_list(column.type):
            columns |= {
                f"{name}_{at}": compute.call_function("list_element", [column, pa.scalar(at)])
                for at in range(column.type.list_size)
            }
        else:
            columns[name] = column
    return pa.table(columns)


def write_jsonl(tables: Iterable[pa.Table], path: Path) -> None:
    """One object a line; null stays null."""
    with path.open("w", encoding="utf-8") as file:
        for table in tables:
            file.writelines(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in table.to_pylist())


def write_parquet(tables: Iterable[pa.Table], path: Path) -> None:
    """Row groups of `ROW_GROUP` rows."""
    put(even(tables, ROW_GROUP), lambda schema: parquet.ParquetWriter(path, schema))


def write_arrow(tables: Iterable[pa.Table], path: Path) -> None:
    """Arrow IPC."""
    with path.open("wb") as sink:
        put(tables, lambda schema: pa.ipc.new_file(sink, schema))


def put(tables: Iterable[pa.Table], opened: Callable[[pa.Schema], Any]) -> None:
    """Write the tables, of which there is one at least, with the writer that is opened for the first one's schema."""
    several = iter(tables)
    first = next(several)
    with opened(first.schema) as writer:
        for table in chain([first], several):
            writer.write_table(table)


def to_dict(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Columns by name."""
    return dict(zip(table.column_names, table.columns, strict=True))


WRITERS: dict[str, Callable[[Iterable[pa.Table], Path], None]] = {
    ".csv": write_csv,
    ".parquet": write_parquet,
    ".jsonl": write_jsonl,
    ".arrow": write_arrow,
}
