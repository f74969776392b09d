"""A user's file in, a file of predictions out: some rows at a time, whole or not at all. No torch."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pyarrow as pa

from understudy.artifact.asked import Asked
from understudy.artifact.cascade import Cascade
from understudy.artifact.confidence import NOTHING, Wish
from understudy.artifact.parts import Answered, Parts
from understudy.artifact.predict import Artifact
from understudy.artifact.shares import answer_all
from understudy.artifact.writers import WRITERS, write_csv
from understudy.prepare.faults import Fault
from understudy.prepare.reader import OnError
from understudy.process.crew import ALONE, Crew
from understudy.process.share import ALL, Share
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
    share: Share = ALL,
    crew: Crew = ALONE,
    quiet: bool = True,
) -> Summary:
    """Predict (or embed) every row of a .csv, .tsv, .parquet, .arrow, .jsonl or .npz file, or of a folder of them; write `out`,
    a .csv, .parquet, .arrow or .jsonl file.

    id: a column of `path` that names its rows; without it they are numbered from 1, as in error messages, in a column `row`.
    modalities: read only these. delimiter: between a .csv's cells, a comma where none is named. Media paths in the file are
    relative to its folder. An existing `out` is replaced. on_error: whether a cell that cannot be read fails the whole, or is
    absent and noted in `errors_of(out)`, a .csv of row, modality and reason. wish: what an answer says of its
    confidence. Rows are read, answered and kept in parts, so memory does not grow with them; a job that is killed goes on from
    its parts when it is asked for again, to the same bytes. share: only these parts, of a job whose machines share the folder of
    `out`; whoever asks for all then joins them. crew: the workers that answer. A cascade ranks all rows together, in memory.
    Raises ValueError (columns, modalities, endings, wishes) and FileNotFoundError.
    """
    path, out = Path(path), Path(out)
    refuse(path, out, on_error)
    asked = Asked(path, id, None if modalities is None else tuple(modalities), delimiter, on_error, wish)
    pieces = asked.pieces()
    if isinstance(artifact, Cascade):
        if not crew.single or share != ALL:
            raise ValueError("a cascade ranks all rows together, so they are not divided; leave --jobs, --engine and --shard out")
        pieces = iter([pa.concat_tables(pieces, promote_options="permissive")])
    first, second = next(pieces), next(pieces, None)
    student = artifact.student if isinstance(artifact, Cascade) else artifact
    read = student.readable(first.column_names, only=modalities)
    if second is None and share == ALL:
        found = [asked.answer(artifact, first, 1)]
        return written(found, [found[0].table.schema], read, out)
    assert isinstance(artifact, Artifact)
    parts = Parts(out, asked.job(artifact))
    with parts.open(share):
        try:
            count = answer_all(artifact, asked, parts, share, crew, quiet=quiet)
        except (ValueError, FileNotFoundError):
            # What was asked for cannot be had, so nothing is left of it; machines that share a job may still be at it.
            if share == ALL:
                parts.remove()
            raise
        if share != ALL:
            return Summary(0, 0, read, parts.folder)
        there = parts.paths()
        paths = [there[number] for number in range(count)]
        found = written((parts.get(each) for each in paths), [parts.schema(each) for each in paths], read, out)
    parts.remove()
    return found


def refuse(path: Path, out: Path, on_error: str) -> None:
    """ValueError or FileNotFoundError for what cannot be begun."""
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error={on_error!r}: expected 'fail' (at the first bad cell) or 'skip' (that cell)")
    if out.suffix.lower() not in WRITERS:
        raise ValueError(f"cannot write predictions to {out.name!r}: it must end in {', '.join(WRITERS)}")
    if not out.parent.is_dir():
        raise FileNotFoundError(f"no folder {out.parent} to write {out.name} into")
    if out.exists() and path.exists() and (out.samefile(path) or out.parent.samefile(path)):
        raise ValueError(f"predictions would overwrite their own input {path}; choose another file")


def written(found: Iterable[Answered], schemas: Sequence[pa.Schema], read: tuple[str, ...], out: Path) -> Summary:
    """Write the answers, and beside them the cells that could not be read; memory holds one part of them."""
    schema = pa.unify_schemas(schemas, promote_options="permissive")
    counts, faults = np.zeros(4, np.int64), list[Fault]()

    def tables() -> Iterator[pa.Table]:
        for each in found:
            counts[:] += [len(each.table), each.answered, each.abstained, each.handed_over]
            faults.extend(each.faults)
            yield each.table.cast(schema)

    with whole_file(out) as partial:
        WRITERS[out.suffix.lower()](tables(), partial)
    write_faults(faults, errors_of(out))
    rows, held, abstained, handed = counts.tolist()
    return Summary(rows, held, read, out, tuple(faults), abstained, handed)


def errors_of(out: Path) -> Path:
    """Where the cells are named that could not be read: predictions.errors.csv beside predictions.csv."""
    return out.with_name(f"{out.stem}.errors.csv")


def write_faults(faults: list[Fault], path: Path) -> None:
    """A .csv of them; where there is none, there is no file, an earlier one's neither."""
    if not faults:
        path.unlink(missing_ok=True)
        return
    with whole_file(path) as partial:
        write_csv([pa.Table.from_pylist([asdict(fault) for fault in sorted(faults, key=lambda fault: fault.row)])], partial)
