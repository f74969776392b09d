"""A user's file in, a file of predictions out: whole or not at all. No torch."""

import json
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import pyarrow as pa
from pyarrow import compute, csv, parquet

from understudy.artifact.answers import absent_of, answered
from understudy.artifact.cascade import Cascade
from understudy.artifact.confidence import NOTHING, Wish
from understudy.artifact.predict import Artifact
from understudy.prepare.faults import Fault
from understudy.prepare.frames import arrow_of
from understudy.prepare.reader import OnError
from understudy.prepare.source import read_table
from understudy.process.whole import whole_file


@dataclass(frozen=True)
class Summary:
    """rows read, rows answered (the others have no modality that the student reads), and where the predictions are.

    faults: the cells that could not be read, which are in `errors_of(out)` too. abstained: answered rows without a prediction,
    which were not sure enough. handed_over: rows that a cascade's teacher answered.
    """

    rows: int
    answered: int
    modalities: tuple[str, ...]
    out: Path
    faults: tuple[Fault, ...] = ()
    abstained: int = 0
    handed_over: int = 0

    @property
    def coverage(self) -> float:
        """Share of rows with a prediction; 1 for a file without rows."""
        return self.answered / self.rows if self.rows else 1.0


def write_csv(table: pa.Table, path: Path) -> None:
    """Null becomes an empty cell, a list of numbers one column each: `embedding_image_0` ..."""
    columns: dict[str, pa.ChunkedArray] = {}
    for name, column in to_dict(table).items():
        if pa.types.is_fixed_size_list(column.type):
            columns |= {
                f"{name}_{at}": compute.call_function("list_element", [column, pa.scalar(at)])
                for at in range(column.type.list_size)
            }
        else:
            columns[name] = column
    csv.write_csv(pa.table(columns), path)


def write_jsonl(table: pa.Table, path: Path) -> None:
    """One object a line; null stays null."""
    lines = (json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in table.to_pylist())
    path.write_text("".join(lines), encoding="utf-8")


WRITERS: dict[str, Callable[[pa.Table, Path], None]] = {
    ".csv": write_csv,
    ".parquet": parquet.write_table,
    ".jsonl": write_jsonl,
}


def predict_file(
    artifact: Artifact | Cascade,
    path: str | Path,
    out: str | Path,
    *,
    id: str | None = None,
    modalities: Collection[str] | None = None,
    delimiter: str = "",
    on_error: OnError = "fail",
    wish: Wish = NOTHING,
) -> Summary:
    """Predict (or embed) every row of a .csv, .tsv, .parquet, .jsonl or .npz file and write .csv, .parquet or .jsonl.

    id: a column of `path` that names its rows; without it they are numbered from 1, as in error messages, in a column `row`.
    modalities: read only these. delimiter: between a .csv's cells, a comma where none is named. Media paths in the file are
    relative to its folder. An existing `out` is replaced. on_error: whether a cell that cannot be read fails the whole, or is
    absent and noted in `errors_of(out)`, a .csv of row, modality and reason. wish: what an answer says of its
    confidence. Raises ValueError (columns, modalities, endings, wishes) and FileNotFoundError.
    """
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error={on_error!r}: expected 'fail' (at the first bad cell) or 'skip' (that cell)")
    path, out = Path(path), Path(out)
    if out.suffix.lower() not in WRITERS:
        raise ValueError(f"cannot write predictions to {out.name!r}: it must end in {', '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"no folder {out.parent} to write {out.name} into")
    if out.exists() and path.exists() and out.samefile(path):
        raise ValueError(f"predictions would overwrite their own input {path}; choose another file")
    table = read_table(path, delimiter=delimiter)
    names = row_names(table, id)
    faults: list[Fault] = []
    noted = faults if on_error == "skip" else None
    answers = artifact.answer(table, folder=path.parent, only=modalities, faults=noted, wish=wish)
    if taken := set(names.column_names) & set(answers):
        raise ValueError(f"the id column may not be called {taken.pop()!r}: a column of the predictions is; rename it")
    with whole_file(out) as partial:
        WRITERS[out.suffix.lower()](pa.table(to_dict(names) | to_dict(arrow_of(answers))), partial)
    write_faults(faults, errors_of(out))
    student = artifact.student if isinstance(artifact, Cascade) else artifact
    read = student.readable(table.column_names, only=modalities)
    abstained = int(absent_of(answers["prediction"]).sum()) - len(table) + answered(answers) if "prediction" in answers else 0
    handed = int((answers["answered_by"].values == "teacher").sum()) if "answered_by" in answers else 0
    return Summary(len(table), answered(answers), read, out, tuple(faults), abstained, handed)


def errors_of(out: Path) -> Path:
    """Where the cells are named that could not be read: predictions.errors.csv beside predictions.csv."""
    return out.with_name(f"{out.stem}.errors.csv")


def write_faults(faults: list[Fault], path: Path) -> None:
    """A .csv of them; where there is none, there is no file, an earlier one's neither."""
    if not faults:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as partial:
        write_csv(pa.Table.from_pylist([asdict(fault) for fault in sorted(faults, key=lambda fault: fault.row)]), partial)


def to_dict(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """Columns by name."""
    return dict(zip(table.column_names, table.columns, strict=True))


def row_names(table: pa.Table, id: str | None) -> pa.Table:
    """The column that says which row a prediction belongs to."""
    if id is None:
        return pa.table({"row": pa.array(range(1, len(table) + 1), type=pa.int64())})
    if id not in table.column_names:
        raise ValueError(f"no column {id!r} for the ids; the table has: {', '.join(table.column_names)}")
    return table.select([id])
