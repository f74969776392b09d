"""A user's file, or a folder of them, some rows at a time: memory does not grow with the rows. Faults are as `read_table`'s."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from understudy.prepare.source import kind_of, read_table
from understudy.prepare.tables import END, LINES, differ, objects_in, open_arrow, table_of_rows

AT_ONCE = 2**26
"""Bytes of a text file up to which it is read at once: what is wrong with it is then known before its first row is taken."""
BLOCK = 2**22
"""Bytes of a .csv file that are parsed together."""


def pieces_of(path: str | Path, *, rows: int, delimiter: str = "") -> Iterator[pa.Table]:
    """Tables of `rows` rows, the last of fewer, one of none where there is no row.

    path: as `read_table`'s, or a folder whose files, of one kind, follow one another by their names.
    """
    path = Path(path)
    return even((piece for file in files_of(path) for piece in pieces_in(file, delimiter)), rows)


def rows_of(path: Path) -> int | None:
    """How many rows there are, where that is known without reading them."""
    files = files_of(path)
    if {kind_of(each) for each in files} != {".parquet"}:
        return None
    return sum(parquet.read_metadata(each).num_rows for each in files)


def folder_of(path: Path) -> Path:
    """What media paths in a file, or in the files of a folder, are relative to."""
    return path if path.is_dir() else path.parent


def files_of(path: Path) -> list[Path]:
    """Itself, or the files of a folder; ValueError for a folder of none, or of several kinds. Hidden ones are not ours."""
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith((".", "_")))
    kinds = sorted({kind_of(each) for each in files})
    if len(kinds) != 1:
        raise ValueError(f"{path} holds {f'files of {len(kinds)} kinds' if kinds else 'no file'}; expected tables of one kind")
    return files


def even(pieces: Iterable[pa.Table], rows: int) -> Iterator[pa.Table]:
    """The same rows in tables of so many; ValueError where the columns of two pieces differ."""
    several = iter(pieces)
    held, given = next(several), False
    for piece in chain(several, [held.slice(0, 0)]):
        if held.column_names != piece.column_names:
            raise ValueError(f"the columns differ: {', '.join(held.column_names)}; then {', '.join(piece.column_names)}")
        held = pa.concat_tables([held, piece], promote_options="permissive") if len(held) else piece
        while len(held) >= rows:
            yield held.slice(0, rows)
            held, given = held.slice(rows), True
    if len(held) or not given:
        yield held


def pieces_in(path: Path, delimiter: str) -> Iterator[pa.Table]:
    """Of one file, however many rows each has."""
    kind = kind_of(path)
    if kind == ".parquet" and path.is_file():
        return row_groups(path)
    if kind == ".arrow" and path.is_file():
        return open_arrow(path)
    large = path.is_file() and (path.stat().st_size > AT_ONCE or path.suffix.lower() == ".gz")
    if large and kind in (".csv", ".tsv"):
        return csv_blocks(path, delimiter or ("\t" if kind == ".tsv" else ","))
    if large and kind == ".jsonl":
        return json_lines(path)
    return iter([read_table(path, delimiter=delimiter)])


def row_groups(path: Path) -> Iterator[pa.Table]:
    """Of a .parquet file, about `BLOCK` bytes at a time."""
    try:
        with parquet.ParquetFile(path, buffer_size=2**20, pre_buffer=False) as file:
            differ(path, file.schema_arrow.names)
            about = file.metadata
            size = sum(about.row_group(each).total_byte_size for each in range(about.num_row_groups))
            at_once = min(2**16, max(1, BLOCK * about.num_rows // max(size, 1)))
            yield pa.table(file.schema_arrow.empty_table())
            yield from (pa.Table.from_batches([batch]) for batch in file.iter_batches(at_once, use_threads=False))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is not a readable Parquet file: {' '.join(str(error).split())}") from None


def csv_blocks(path: Path, delimiter: str) -> Iterator[pa.Table]:
    """Of a large .csv file, the rows of `read_csv`, which is asked for all where anything is wrong or a row is too long."""
    read = 0
    try:
        with opened(path) as file:
            header = next(csv.reader(io.StringIO(first_lines(file).decode(), newline=""), delimiter=delimiter))
            names = [name.strip() for name in header]
            differ(path, names)
            file.seek(0)
            for table in parsed(file, header, delimiter):
                yield table.rename_columns(names)
                read += len(table)
            return
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error, StopIteration):
        pass
    yield read_table(path, delimiter=delimiter if delimiter != "\t" else "").slice(read)


def opened(path: Path) -> io.BufferedReader:
    """The bytes of a file, unpacked where it is a .gz."""
    packed = path.suffix.lower() == ".gz"
    return cast(io.BufferedReader, gzip.open(path) if packed else path.open("rb"))


def first_lines(file: IO[bytes]) -> bytes:
    """Enough of a text file to hold its line of names."""
    content = b""
    while len(content) < BLOCK and (more := file.read(2**16)):
        content = (content + more).removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
        if b"\n" in content:
            break
    return content[: content.rfind(b"\n") + 1]


def parsed(file: IO[bytes], header: list[str], delimiter: str) -> Iterator[pa.Table]:
    """The blocks of an open .csv file as text, without the row that is put behind its last one."""
    content = Ended(file, delimiter.join([END] * len(header)).encode() + b"\n")
    reader = arrow_csv.open_csv(
        pa.PythonFile(content, mode="r"),
        read_options=arrow_csv.ReadOptions(use_threads=False, block_size=BLOCK),
        parse_options=arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=len(header) > 1),
        convert_options=arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=[""]
        ),
    )
    with closing(reader):
        held: pa.Table | None = None
        for batch in reader:
            if len(batch):
                if held is not None:
                    yield held
                held = pa.Table.from_batches([batch])
    if held is None or any(column[-1].as_py() != END for column in held.columns):
        raise pa.ArrowInvalid("an open quote swallowed the last row")
    yield held.slice(0, len(held) - 1)


class Ended:
    """The bytes of an open .csv file from its line of names on, and a last row behind them: an open quote would swallow it."""

    closed = False

    def __init__(self, file: IO[bytes], end: bytes) -> None:
        self._file, self._end, self._last = file, end, b""

    def read(self, size: int) -> bytes:
        """As of a file."""
        content = self._file.read(size)
        while content and not self._last:
            content = content.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
            self._last = content[-1:]
            content = content or self._file.read(size)
        if not content:
            content, self._end = (b"" if self._last in b"\r\n" else b"\n") * bool(self._end) + self._end, b""
        self._last = content[-1:]
        return content

    def close(self) -> None:
        """The file is closed by who opened it."""


def json_lines(path: Path) -> Iterator[pa.Table]:
    """Of a large .jsonl file, each column of one type throughout; first read once to know them."""
    types: dict[str, pa.DataType] = {}
    for piece in some_lines(path):
        for field in piece.schema:
            known = types.get(field.name, pa.null())
            both = [pa.schema([(field.name, kind)]) for kind in (known, field.type)]
            try:
                types[field.name] = pa.unify_schemas(both, promote_options="permissive")[0].type
            except pa.ArrowException:
                yield read_table(path)  # which says where values differ
                return
    for piece in some_lines(path):
        there, rows = set(piece.column_names), len(piece)
        yield pa.table({n: piece[n].cast(kind) if n in there else pa.nulls(rows, kind) for n, kind in types.items()})


def some_lines(path: Path) -> Iterator[pa.Table]:
    """Tables of `LINES` lines each."""
    rows: list[tuple[int, Any]] = []
    for row in objects_in(path):
        rows.append(row)
        if len(rows) == LINES:
            yield table_of_rows(path, rows, unit="line")
            rows = []
    if rows:
        yield table_of_rows(path, rows, unit="line")
