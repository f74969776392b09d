"""A user's file as a table, and a table's columns as cells: for `import table` and for `predict`."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.prepare.boxes import CORNERS, check_regions
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.columns import LARGEST, Column
from understudy.prepare.held import ragged
from understudy.prepare.reader import MediaReader
from understudy.prepare.tables import READERS


def read_table(path: str | Path) -> pa.Table:
    """A table from a .csv, .tsv, .parquet, .jsonl or .npz file.

    Cells of .csv and .tsv stay text (null where empty): what a column is, number, category or text, is said by who reads it.
    Raises FileNotFoundError, or ValueError that names the file and, where it can, the row (counted from 1) and column.
    """
    path = Path(path)
    if path.suffix.lower() not in READERS:
        raise ValueError(f"{path}: unknown file type {path.suffix!r}; known: {', '.join(READERS)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return READERS[path.suffix.lower()](path)


def source_columns(name: str, modality: Modality) -> tuple[str, ...]:
    """The columns that modality `name` is read from: its `source`, else a table's columns, else the one of its own name."""
    return modality.source or tuple(modality.columns) or (name,)


def cells_from_table(
    table: pa.Table,
    name: str,
    modality: Modality,
    *,
    folder: str | Path,
    first_row: int = 1,
    reader: MediaReader | None = None,
) -> Cells:
    """Every row's cell of modality `name`.

    A cell that holds nothing is absent: null, blank text, an empty list or array, or only missing numbers.
    folder: what media and `.npy` paths are relative to. first_row: what the user calls the first of these rows. reader: of media
    files; it says what happens to one that cannot be read, which by default is an error.
    Raises ValueError (FileNotFoundError for a medium) that names the column, and the row where there is one.
    """
    wanted = source_columns(name, modality)
    missing = [column for column in wanted if column not in table.column_names]
    if missing:
        has = ", ".join(table.column_names) or "none"
        raise ValueError(f"modality {name!r} needs the missing column {', '.join(missing)}; the table has: {has}")
    columns = [Column.of(table, column, first_row) for column in wanted]
    if modality.kind == "table":
        return table_cells(columns, modality)
    if modality.kind == "choices":
        return choice_cells(columns, modality)
    if modality.kind == "vector" and not (len(columns) == 1 and (columns[0].is_list or holds_paths(columns[0]))):
        return vector_cells(columns[0], [*np.stack([column.numbers() for column in columns], axis=1)], modality)
    if len(columns) > 1:
        raise ValueError(f"modality {name!r} of kind {modality.kind!r} is read from one column; got {', '.join(wanted)}")
    return READ[modality.kind](columns[0], modality, Path(folder), reader or MediaReader(isolated=False))


def table_cells(columns: list[Column], modality: Modality) -> Cells:
    """Numbers and categories; a row without any is absent."""
    values: dict[str, NDArray[Any]] = {}
    for column in columns:
        if modality.columns.get(column.name) not in ("number", "category"):
            raise ValueError(f"column {column.name!r}: expected it to be declared a number or a category")
        values[column.name] = column.numbers() if modality.columns[column.name] == "number" else column.categories()
    there = [~np.isnan(v) if v.dtype != object else np.array([c is not None for c in v], dtype=bool) for v in values.values()]
    return Cells("table", values, np.logical_or.reduce(there))


def choice_cells(columns: list[Column], modality: Modality) -> Cells:
    """K texts of each row, from K columns of text or one of lists; none at all is absent, only some of them a fault."""
    first = columns[0]
    if len(columns) == 1:
        rows = first.lists_of_text()
    else:
        rows = [None if set(row) == {None} else list(row) for row in zip(*(column.texts() for column in columns), strict=True)]
    known = modality.width or next((len(row) for row in rows if row is not None), 0)
    found: list[tuple[str, ...] | None] = []
    for i, row in enumerate(rows):
        if row is not None and len(row) != known:
            raise first.fault(i, f"{len(row)} choices; expected {known}")
        if row is not None and None in row:
            place = row.index(None)
            raise columns[place % len(columns)].fault(i, f"choice {place} is empty; expected all {known}, or none at all")
        found.append(None if row is None else tuple(row))  # pyright: ignore[reportArgumentType]
    return ragged(modality.kind, found)


def vector_cells(column: Column, rows: list[NDArray[Any] | None], modality: Modality) -> Cells:
    """Rows of one width, `[N D]`."""
    known = modality.width or next((len(row) for row in rows if row is not None), 0)
    values = np.full((len(rows), known), np.nan, dtype=np.float32)
    for i, row in enumerate(rows):
        if row is not None:
            if row.shape != (known,):
                raise column.fault(i, f"a vector of shape {row.shape}; expected {known} numbers")
            values[i] = small(column, i, row)
    return Cells("vector", values, np.logical_or.reduce(~np.isnan(values), axis=1))


def small(column: Column, row: int, values: NDArray[Any]) -> NDArray[np.float32]:
    """As float32; numbers that are infinite there are a fault."""
    with np.errstate(over="ignore"):
        cast = values.astype(np.float32)
    if np.isinf(cast).any():
        raise column.fault(row, f"a number that is infinite or beyond {LARGEST:.1e}; expected a finite one, or none")
    return cast


def holds_paths(column: Column) -> bool:
    """Whether a column names `.npy` files."""
    return column.is_text and next((str(v).lower().endswith(".npy") for v in column.values.to_pylist() if v), False)


Read = Callable[[Path, str], Any]
"""A path, and where it was named, to a value or None."""


def read_media(column: Column, folder: Path, reader: MediaReader, read: Read | None = None) -> Iterator[Any]:
    """What `read` makes of each row's file; `.npy` files, and all files without it, are arrays."""
    for row, text in enumerate(column.texts()):
        path = None if text is None else folder / text.strip()
        if path is None:
            yield None
        elif read is None or path.suffix.lower() == ".npy":
            yield reader.array(path, where=column.at(row))
        else:
            yield read(path, column.at(row))


def read_vector(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of lists or of `.npy` paths."""
    rows = column.vectors()[0] if column.is_list else list(read_media(column, folder, reader))
    return vector_cells(column, rows, modality)


def read_steps(column: Column, folder: Path, reader: MediaReader) -> Iterator[Any]:
    """Each row's steps of numbers, from lists of lists or `.npy` paths."""
    return iter(column.sequences()) if column.is_list else read_media(column, folder, reader)


def checked(rows: Iterable[Any], check: Callable[[int, Any], Any]) -> Iterator[Any]:
    """What `check` makes of each row's number and value, one after the other; what is absent stays so."""
    return (None if row is None else check(i, row) for i, row in enumerate(rows))


def read_sequence(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of lists of lists or of `.npy` paths."""
    known = modality.width

    def check(i: int, row: NDArray[Any]) -> NDArray[np.float32] | None:
        nonlocal known
        known = known or (row.shape[-1] if row.ndim else 0)
        if row.ndim != 2 or row.shape[1] != known or row.dtype.kind not in "fiub":
            raise column.fault(i, f"a sequence of shape {row.shape} and {row.dtype}; expected steps of {known} numbers")
        steps = small(column, i, row)
        return None if np.isnan(steps).all() else steps

    return ragged("sequence", checked(read_steps(column, folder, reader), check))


def read_regions(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """As a sequence; each step is a box, x1 y1 x2 y2 in shares of the picture, and then the region's features."""
    known = modality.width

    def check(i: int, row: NDArray[Any]) -> NDArray[np.float32]:
        nonlocal known
        if row.dtype.kind not in "fiub":
            raise column.fault(i, f"regions of {row.dtype}; expected numbers")
        known = known or (row.shape[-1] - CORNERS if row.ndim else 0)
        regions = small(column, i, row)
        try:
            check_regions(regions, known)
        except ValueError as error:
            raise column.fault(i, error) from None
        return regions

    return ragged("regions", checked(read_steps(column, folder, reader), check))


def read_texts(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of text."""
    return ragged("text", column.texts())


def read_images(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of paths of pictures, or of `.npy` files of uint8 `[H W]` or `[H W C]`."""

    def check(i: int, row: NDArray[Any]) -> NDArray[np.uint8]:
        pixels = row[:, :, None] if row.ndim == 2 else row
        if pixels.dtype != np.uint8 or pixels.shape[2:] not in ((1,), (3,)) or not pixels.size:
            raise column.fault(i, f"a picture of shape {row.shape} and {row.dtype}; expected uint8 [H W] or [H W 1 or 3]")
        return pixels

    rows = read_media(column, folder, reader, lambda path, where: reader.image(path, where=where))
    return ragged("image", checked(rows, check))


def read_sounds(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of paths of sound files, or of `.npy` files of samples in [-1, 1] at the modality's rate."""
    if modality.rate < 1:
        raise ValueError(f"column {column.name!r} is audio, but its modality says no rate; give samples a second, such as 16000")

    def check(i: int, row: NDArray[Any]) -> NDArray[np.float32] | None:
        if row.ndim != 1 or row.dtype.kind != "f" or not (np.abs(row) <= 1).all():
            raise column.fault(i, f"sound of shape {row.shape} and {row.dtype}; expected one row of floats in [-1, 1]")
        return row.astype(np.float32) if len(row) else None

    rows = read_media(column, folder, reader, lambda path, where: reader.audio(path, modality.rate, where=where))
    return ragged("audio", checked(rows, check))


def read_videos(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of paths of video files; each is kept as it is."""
    return ragged("video", read_media(column, folder, reader, lambda path, where: reader.video(path, where=where)))


READ: dict[str, Callable[[Column, Modality, Path, MediaReader], Cells]] = {
    "vector": read_vector,
    "sequence": read_sequence,
    "text": read_texts,
    "image": read_images,
    "regions": read_regions,
    "audio": read_sounds,
    "video": read_videos,
}
