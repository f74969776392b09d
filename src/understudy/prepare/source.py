"""A user's file as a table, and a table's columns as cells: for `import table` and for `predict`."""

import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.prepare.audio import LogMel
from understudy.prepare.boxes import CORNERS, check_regions
from understudy.prepare.cells import ENDINGS, Cells, Modality
from understudy.prepare.columns import LARGEST, Column
from understudy.prepare.dates import PARTS, parts_of
from understudy.prepare.held import ragged
from understudy.prepare.medium import Medium, holds_files, media
from understudy.prepare.reader import MediaReader
from understudy.prepare.tables import HELD, READERS, TEXT_FILES, read_csv
from understudy.prepare.texts import Texts


def read_table(path: str | Path, *, delimiter: str = "") -> pa.Table:
    """A table from a .csv, .tsv, .parquet, .arrow, .jsonl or .npz file; .csv, .tsv and .jsonl also as .gz.

    delimiter: between a .csv's cells, a comma where none is named.
    Cells of .csv and .tsv stay text (null where empty): what a column is, number, category or text, is said by who reads it.
    Raises FileNotFoundError, or ValueError that names the file and, where it can, the row (counted from 1) and column.

    >>> from pathlib import Path
    >>> import understudy as us
    >>> _ = Path("cars.csv").write_text("speed,note\\n1,fast\\n2,\\n")
    >>> us.read_table("cars.csv").to_pydict()
    {'speed': ['1', '2'], 'note': ['fast', None]}
    """
    path = Path(path)
    kind = kind_of(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    if delimiter and kind != ".csv":
        raise ValueError(f"{path}: delimiter {delimiter!r} has no effect on a {kind} file; leave it out")
    return read_csv(path, delimiter) if delimiter else READERS[kind](path)


def kind_of(path: Path) -> str:
    """The ending of a table's file, without a .gz behind it; ValueError for one that is not known."""
    packed = path.suffix.lower() == ".gz"
    kind = Path(path.stem if packed else path.name).suffix.lower()
    if kind not in READERS or (packed and kind not in TEXT_FILES):
        raise ValueError(
            f"{path}: unknown file type {kind + '.gz' * packed!r}; known: {', '.join(READERS)} (text files also as .gz)"
        )
    return kind


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
    names = set(table.column_names)  # made anew by Arrow each time it is asked for
    missing = [column for column in wanted if column not in names]
    if missing:
        has = ", ".join(table.column_names) or "none"
        raise ValueError(f"modality {name!r} needs the missing column {', '.join(missing)}; the table has: {has}")
    columns = [Column.of(table, column, first_row, files=modality.kind in ENDINGS) for column in wanted]
    if all(column.is_empty for column in columns) and (modality.width or modality.kind not in WIDE):
        return absent(modality, len(table))
    if modality.kind == "table":
        return table_cells(columns, modality)
    if modality.kind == "choices":
        return choice_cells(columns, modality)
    if modality.kind == "vector" and not (len(columns) == 1 and (columns[0].is_list or holds_paths(columns[0]))):
        numbers = np.stack([numbers_of(column, name) for column in columns], axis=1)
        return vector_cells(columns[0], numbers.reshape(-1), np.full(len(table), len(columns)), modality)
    if len(columns) > 1:
        raise ValueError(f"modality {name!r} of kind {modality.kind!r} is read from one column; got {', '.join(wanted)}")
    return READ[modality.kind](columns[0], modality, Path(folder), reader or MediaReader())


def table_cells(columns: list[Column], modality: Modality) -> Cells:
    """Numbers, categories, and the declared parts of dates; a row without any is absent."""
    values: dict[str, NDArray[Any]] = {}
    for column in columns:
        kind = modality.columns.get(column.name)
        if kind is not None:
            values[column.name] = column.numbers() if kind == "number" else column.categories()
            continue
        parts = {f"{column.name}.{part}": part for part in PARTS if f"{column.name}.{part}" in modality.columns}
        if not parts:
            raise ValueError(f"column {column.name!r}: expected it to be declared a number, a category or a date")
        found = parts_of(column)
        values |= {name: found[part] for name, part in parts.items()}
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


WIDE = ("vector", "sequence", "regions", "choices")
"""Kinds that say how many numbers or texts a cell holds: known from the contract, or to be read off the rows."""


def absent(modality: Modality, rows: int) -> Cells:
    """Cells of a modality that no row has."""
    present = np.zeros(rows, dtype=bool)
    if modality.kind == "vector":
        return Cells("vector", np.zeros((rows, modality.width), dtype=modality.dtype), present)
    if modality.kind == "table":
        empty = {"number": np.full(rows, np.nan), "category": np.full(rows, None, dtype=object)}
        return Cells("table", {name: empty[of] for name, of in modality.columns.items()}, present)
    return Cells(modality.kind, [None] * rows, present)


def numbers_of(column: Column, modality: str) -> NDArray[np.float64]:
    """The numbers of one of a vector's columns; a fault says of which modality."""
    try:
        return column.numbers()
    except ValueError as error:
        raise ValueError(f"modality {modality!r}: {error}; mend it, leave the column out, or read it in a table") from None


def vector_cells(column: Column, flat: NDArray[Any], lengths: NDArray[np.int64], modality: Modality) -> Cells:
    """Rows of one width, `[N D]`, from their numbers one after the other; a row without any is absent."""
    rows = np.flatnonzero(lengths)
    known = modality.width or int(lengths[rows[0]] if len(rows) else 0)
    wrong = lengths[rows] != known
    if wrong.any():
        row = int(rows[np.argmax(wrong)])
        raise column.fault(row, f"a vector of {lengths[row]} numbers; expected {known}")
    values = bounded(column, flat.reshape(len(rows), known), rows, modality)
    if len(rows) < len(lengths):
        whole = np.full((len(lengths), known), np.nan, dtype=modality.dtype)
        whole[rows] = values
        values = whole
    return Cells("vector", values, np.logical_not(np.isnan(values).all(axis=1)))


def bounded(column: Column, values: NDArray[Any], rows: NDArray[np.intp], modality: Modality) -> NDArray[np.floating[Any]]:
    """Numbers of `rows` in the modality's type; those that float32 cannot hold are a fault."""
    if values.dtype == np.float32:
        single = values
    else:
        with np.errstate(over="ignore"):
            single = values.astype(np.float32)
    wrong = np.isinf(single)
    if wrong.any():
        row = int(rows[np.argmax(wrong.any(axis=tuple(range(1, values.ndim))))])
        raise column.fault(row, f"a number that is infinite or beyond {LARGEST:.1e}; expected a finite one, or none")
    return values.astype(np.float64, copy=False) if modality.double else single


def array_of(column: Column, row: int, value: NDArray[Any]) -> NDArray[Any]:
    """An array of a file as plain numbers of this machine; complex numbers, dates and words are a fault."""
    if value.dtype.kind not in "fiub":
        held = HELD.get(value.dtype.kind, str(value.dtype))
        raise column.fault(row, f"{str(column.values[row]).strip()} holds {held}; expected numbers")
    return value.astype(np.float64) if value.dtype.kind == "f" else value.astype(value.dtype.newbyteorder("="))


def holds_paths(column: Column) -> bool:
    """Whether a column names `.npy` files."""
    return column.is_text and next((str(v).lower().endswith(".npy") for v in column.values.to_pylist() if v), False)


Read = Callable[[Medium, str], Any]
"""A path or the bytes of a file, and where it stands, to a value or None."""


def read_media(column: Column, folder: Path, reader: MediaReader, read: Read | None = None) -> Iterator[Any]:
    """What `read` makes of each row's file; `.npy` files, and all files without it, are arrays. One that the row before
    has, too, is not read again.
    """
    if read and holds_files(column.values.type):
        files = media(column.values, folder)
    else:
        files = (None if text is None else folder / text.strip() for text in column.texts())
    last, value = Path(), None
    for row, file in enumerate(files):
        if file is None:
            yield None
            continue
        if file != last or value is None:
            last, where = file, column.at(row)
            if isinstance(file, Path) and (read is None or file.suffix.lower() == ".npy"):
                value = reader.array(file, where=where)
            elif read:
                value = read(file, where)
        yield value


def read_vector(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of lists or of `.npy` paths."""
    if column.is_list:
        return vector_cells(column, *column.vectors(), modality)
    rows: list[NDArray[Any]] = []
    for i, value in enumerate(read_media(column, folder, reader)):
        # A scalar and [1 N] are how NumPy saves one number and one row.
        found = np.zeros(0) if value is None or not value.size else np.atleast_1d(np.squeeze(array_of(column, i, value)))
        if found.ndim > 1:
            raise column.fault(i, f"numbers of shape {found.shape}; expected one row of them")
        rows.append(found)
    return vector_cells(column, np.concatenate(rows), np.array([len(row) for row in rows]), modality)


def read_steps(column: Column, folder: Path, reader: MediaReader) -> Iterator[Any]:
    """Each row's steps of numbers, from lists of lists or `.npy` paths."""
    return iter(column.sequences()) if column.is_list else read_media(column, folder, reader)


def checked(rows: Iterable[Any], check: Callable[[int, Any], Any]) -> Iterator[Any]:
    """What `check` makes of each row's number and value, one after the other; what is absent stays so."""
    return (None if row is None else check(i, row) for i, row in enumerate(rows))


def read_sequence(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of lists of lists or of `.npy` paths."""
    known = modality.width

    def check(i: int, value: NDArray[Any]) -> NDArray[Any] | None:
        nonlocal known
        row = array_of(column, i, value)
        if not row.size:
            return None
        known = known or (row.shape[-1] if row.ndim else 0)
        if row.ndim != 2 or row.shape[1] != known:
            raise column.fault(i, f"a sequence of shape {row.shape} and {row.dtype}; expected steps of {known} numbers")
        steps = bounded(column, row[None], np.array([i]), modality)[0]
        return None if np.isnan(steps).all() else steps

    return ragged("sequence", checked(read_steps(column, folder, reader), check))


def read_regions(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """As a sequence; each step is a box, x1 y1 x2 y2 in shares of the picture, and then the region's features."""
    known = modality.width

    def check(i: int, value: NDArray[Any]) -> NDArray[Any] | None:
        nonlocal known
        row = array_of(column, i, value)
        if not row.size:
            return None
        known = known or (row.shape[-1] - CORNERS if row.ndim else 0)
        regions = bounded(column, row[None], np.array([i]), modality)[0]
        try:
            check_regions(regions, known)
        except ValueError as error:
            raise column.fault(i, error) from None
        return regions

    return ragged("regions", checked(read_steps(column, folder, reader), check))


def read_texts(column: Column, modality: Modality, folder: Path, reader: MediaReader) -> Cells:
    """From a column of text."""
    texts = column.strings()
    return Cells("text", Texts(texts), texts.is_valid().to_numpy(zero_copy_only=False))


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

    short: list[int] = []

    def check(i: int, row: NDArray[Any]) -> NDArray[np.float32] | None:
        if row.ndim != 1 or row.dtype.kind != "f" or not (np.abs(row) <= 1).all():
            raise column.fault(i, f"sound of shape {row.shape} and {row.dtype}; expected one row of floats in [-1, 1]")
        if not len(row):
            raise column.fault(i, "sound without a sample; leave the cell empty where there is none")
        if len(row) < LogMel.window * modality.rate:
            short.append(i)
        return row.astype(np.float32)

    rows = read_media(column, folder, reader, lambda path, where: reader.audio(path, modality.rate, where=where))
    cells = ragged("audio", checked(rows, check))
    if short:
        warnings.warn(
            f"{column.at(short[0])}: sound shorter than {LogMel.window:g} s, one frame of a log-mel spectrogram: little but "
            f"silence is heard of it ({len(short)} such)"
        )
    return cells


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
