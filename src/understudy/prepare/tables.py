"""Readers of table files by their ending, each `path -> pyarrow.Table`. Faults are one ValueError that names the file."""

import csv
import gzip
import io
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from understudy.prepare.npz import read_arrays
from understudy.process.document import parsed


def differ(path: Path | str, names: list[str]) -> None:
    """Refuse a column name that stands there twice."""
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise ValueError(f"{path}: two columns are called {name!r}; names must differ")


END = "end"
"""Cells of a row that is put behind a .csv file: an open quote would swallow it."""


LARGEST_CSV = 2**31 - 2**24
"""Bytes. Arrow counts those of a block in 31 bits, and a file is read as one block."""


def content_of(path: Path) -> bytes:
    """The bytes of a text file, unpacked where it is a .gz; ValueError beyond what Arrow reads as one block."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            content = file.read(LARGEST_CSV + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole .gz file: {error}") from None
    if len(content) > LARGEST_CSV:
        raise ValueError(f"{path} is larger than {LARGEST_CSV / 2**30:.1f} GiB; convert it to Parquet")
    return content


def read_csv(path: Path, delimiter: str = ",") -> pa.Table:
    """Text columns, null where empty; blank lines are skipped unless there is one column only, where each is an empty cell."""
    if len(delimiter) != 1 or delimiter in '"\r\n':
        raise ValueError(f"delimiter {delimiter!r} given; expected one character, such as ';'")
    content = content_of(path)
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ValueError(f"{path} is UTF-16; save it as UTF-8")
    content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    try:
        header = next(csv.reader(io.StringIO(content.decode(), newline=""), delimiter=delimiter), [])
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"{path}: line {line} is not UTF-8; save it as UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path}: the line of column names is malformed: {error}") from None
    if not header:
        raise ValueError(f"{path} is empty; expected a first line of column names")
    other = next((mark for mark in ";\t|" if len(header) == 1 and mark in header[0]), None)
    if other:
        raise ValueError(
            f"{path}: the first line has one name, {header[0]!r:.60}; if {other!r} parts the columns, say --delimiter {other!r}"
        )
    named = [name.strip() for name in header]
    differ(path, named)
    content = content.rstrip(b"\r\n") if len(header) > 1 else content.removesuffix(b"\n").removesuffix(b"\r")
    rows: list[str] = []

    def refuse(row: arrow_csv.InvalidRow) -> str:
        rows.append(f"row {row.number - 1} has {row.actual_columns} cells; expected {row.expected_columns}, as in the first line")
        return "error"

    end = delimiter.join([END] * len(header)).encode()
    try:
        table = arrow_csv.read_csv(
            io.BytesIO(b"%b\n%b\n" % (content, end)),
            # One block, since a cell may be longer than the default one; one thread, since only then are rows counted.
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(content) + len(end) + 2),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, invalid_row_handler=refuse, ignore_empty_lines=len(header) > 1
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path}: {rows[0] if rows else f'{error} (row 1 is the line of names)'}") from None
    if any(column[-1].as_py() != END for column in table.columns):
        raise ValueError(f"{path}: row {len(table)} opens a quote that is never closed")
    return table.rename_columns(named).slice(0, len(table) - 1)


def read_tsv(path: Path) -> pa.Table:
    """As `read_csv`, with tabs."""
    return read_csv(path, delimiter="\t")


def read_parquet(path: Path) -> pa.Table:
    """As it is."""
    try:
        names = parquet.read_schema(path).names
        table = parquet.read_table(path) if len(set(names)) == len(names) else None
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file: {' '.join(str(error).split())}") from None
    differ(path, names)
    assert table is not None
    return table


def read_jsonl(path: Path) -> pa.Table:
    """One JSON object a line, read with Python's own reader: Arrow's would take text that looks like a date for a date."""
    return table_of_rows(path, objects_in(path), unit="line")


LINES = 2**12
"""Of a large .jsonl file that are read together."""


def objects_in(path: Path) -> Iterator[tuple[int, Any]]:
    """What each line of a .jsonl file says, and its number."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if content.strip():
                    try:
                        yield number, parsed(content.decode(), halves=True)
                    except ValueError as error:
                        raise ValueError(f"{path}: line {number} is not JSON: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} is not a whole .gz file: {error}") from None


def open_arrow(path: Path) -> Iterator[pa.Table]:
    """None, and then the rows of each record batch, of an Arrow IPC file (Feather version 2), mapped."""
    try:
        with pa.ipc.open_file(pa.memory_map(str(path))) as reader:
            differ(path, reader.schema.names)
            yield reader.schema.empty_table()
            for number in range(reader.num_record_batches):
                batch = reader.get_batch(number)
                batch.validate(full=True)
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Arrow file: {' '.join(str(error).split())}") from None


def read_arrow(path: Path) -> pa.Table:
    """As it is."""
    return pa.concat_tables(open_arrow(path))


def table_of_rows(where: Path | str, rows: Iterable[tuple[int, Any]], *, unit: str) -> pa.Table:
    """A table of numbered dicts; a key that a row lacks is null there. unit: what the numbers count."""
    columns: dict[str, list[Any]] = {}
    for read, (number, row) in enumerate(rows):
        if not isinstance(row, dict):
            raise ValueError(f"{where}: {unit} {number} is not {OBJECT[unit]}; expected {{column: value}}")
        for name, value in row.items():
            columns.setdefault(name, [None] * read).append(value)
        for values in columns.values():
            values.extend([None] * (read + 1 - len(values)))
    if not columns:
        raise ValueError(f"{where} is empty; expected one {OBJECT[unit].removeprefix('a ')} a {unit}")
    if halves := [name for name in columns if broken(name)]:
        raise ValueError(f"{where}: the name of a column, {halves[0]!r}, holds {HALF}")
    return pa.table({name: column_of(where, name, values) for name, values in columns.items()})


OBJECT = {"line": "a JSON object", "row": "a dict"}


def column_of(path: Path | str, name: str, values: list[Any]) -> pa.Array:
    """An Arrow column; ValueError with the first row whose value is of another kind than the rows above."""
    try:
        return pa.array(values, from_pandas=True)
    except UnicodeEncodeError:
        row = next(i for i, v in enumerate(values) if broken(v))
        raise ValueError(f"{path}: column {name!r}, row {row + 1}: {HALF}") from None
    except (pa.ArrowException, OverflowError) as error:
        kinds = [None if v is None else float if type(v) is int else type(v) for v in values]
        first = next((kind for kind in kinds if kind), None)
        row = next((i for i, kind in enumerate(kinds) if kind not in (None, first)), None)
        where = "" if row is None else f", row {row + 1}"
        raise ValueError(
            f"{path}: column {name!r}{where}: values of different kinds: {error}; make them one, such as all text"
        ) from None


HALF = "half of a character, which is no text; write it whole"


def broken(value: Any) -> bool:
    """Whether a text, or one inside a list or an object, holds half of a pair that is one character only together."""
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return any(broken(each) for each in inside)


def read_npz(path: Path) -> pa.Table:
    """Arrays of one length: `[N]` is a plain column, `[N D]` one of lists, `[N T D]` one of lists of lists. Never unpickles."""
    found = read_arrays(path)
    rows = {name: len(array) if array.ndim else -1 for name, array in found.items()}
    if not rows or min(rows.values()) < 0 or len(set(rows.values())) > 1:
        raise ValueError(f"{path}: expected arrays with one entry a row; got lengths {rows or 'of no array'}")
    return pa.table({name: array_column(path, name, array) for name, array in found.items()})


HELD = {"c": "complex numbers", "M": "dates", "m": "durations", "O": "Python objects", "V": "records"}
"""What arrays hold that are no numbers, by NumPy's letter, in words."""


def array_column(path: Path | str, name: str, array: NDArray[Any]) -> pa.Array:
    """A column of (nested lists of) numbers or strings; `[N 1]` is a plain one."""
    if array.dtype.kind not in "biufUS" or 0 in array.shape[1:]:
        held = "nothing" if 0 in array.shape[1:] else HELD.get(array.dtype.kind, str(array.dtype))
        raise ValueError(f"{path}: array {name!r} of shape {array.shape} holds {held}; expected numbers or strings")
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    # Arrow knows neither another machine's byte order nor half and long doubles.
    odd = array.dtype.kind == "f" and array.dtype.itemsize not in (4, 8)
    plain = array.astype(np.float64 if odd else array.dtype.newbyteorder("="), copy=False)
    flat = np.ascontiguousarray(plain).reshape(-1)
    column = column_of(path, name, flat.tolist()) if array.dtype.kind in "US" else pa.array(flat)
    for size in reversed(array.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".parquet": read_parquet,
    ".arrow": read_arrow,
    ".jsonl": read_jsonl,
    ".npz": read_npz,
}
TEXT_FILES = (".csv", ".tsv", ".jsonl")
"""Those that may also be packed as .gz."""
