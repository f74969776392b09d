"""A user's own table as a corpus."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.columns import Source, Spec, Wanted, modality_of
from understudy.corpus.importers.target import choice_of, targets_in, task_of
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import corpus_writer
from understudy.prepare.boxes import CORNERS
from understudy.prepare.cells import SHARED, Cells, Modality
from understudy.prepare.frames import Data, Framed, arrow_of, framed
from understudy.prepare.pieces import folder_of, pieces_of
from understudy.prepare.reader import MediaReader, OnError
from understudy.prepare.source import WIDE, cells_from_table, source_columns
from understudy.prepare.spool import spooled
from understudy.prepare.standardisation import Standardisation
from understudy.process.whole import write_json
from understudy.tasks import Task

BLURRED = 1e-4
"""Float32's error of a number beside the numbers' deviation from which on they are kept as float64."""
LOOKED_AT = 1_000
"""Rows that say whether they are."""
ROWS, FEW, PIECE_BYTES = 2**14, 2**8, 2**24
"""Rows that are in memory together: so many, fewer where they are wide, and a few of media and sequences."""
LIGHT = ("vector", "table", "text", "choices")


def import_table(
    data: Data,
    out: Path | str,
    *,
    target: str | None = None,
    task: Task | str | None = None,
    modalities: Mapping[str, Spec] | None = None,
    id: str | None = None,
    group: str | None = None,
    split: str | None = None,
    weight: str | None = None,
    mapping: Path | str | None = None,
    guess: bool = False,
    delimiter: str = "",
    on_error: OnError = "fail",
) -> Corpus:
    """A corpus from a .csv, .tsv, .parquet, .arrow, .jsonl or .npz file, a folder of them, or data in memory (`framed`).

    modalities: name -> `kind:column,column` (kinds: vector, table, sequence, text, choices, image, regions, video, audio@RATE
    with samples a second, also of video files; columns may be patterns such as `a_*`), a Modality, or columns alone. choices:
    as many columns of text, or one of lists of texts. task: a Task, regression, classification, retrieval or choice (the target
    is the right one's place, from 0); where not stated, strings and few whole numbers are classes, others a regression.
    group: rows of one group never part. split: a column of train / valid / test becomes the split `given`. weight: a column of
    numbers, how much each row counts in training (2 as if it stood there twice, 0 not at all). mapping: a JSON
    file with the same keys; an argument beats it. guess: modalities that nobody names are guessed from the columns; what and
    why stands in `schema.about["guessed"]`, and OUT/mapping.json says it, to edit and give again. on_error: "skip" leaves the
    cell of a media file that cannot be read absent and lists it in the corpus's errors.json. delimiter: between a .csv's
    cells, a comma where none is named. Empty target cells are unlabelled rows. What was inferred stands in
    `schema.about["inferred"]`. ValueError names column and row.

    >>> import understudy as us
    >>> columns = {"speed": [1.0, 2.5, 3.0], "price": ["low", "high", "low"]}
    >>> made = us.import_table(columns, "cars", target="price", modalities={"sensors": "vector:speed"})
    >>> made.task.classes, made.modalities["sensors"].width
    (('high', 'low'), 1)
    """
    wanted = Wanted(target, task, modalities, id, group, split, weight).over(Wanted.read(mapping) if mapping else Wanted())
    if not wanted.target or not (wanted.modalities or guess):
        raise ValueError("say which column is the target and which columns are which modality (arguments or a mapping file)")
    given, release = at_hand(data, delimiter)
    wanted = wanted if wanted.modalities else wanted.with_guesses(given.table)
    source, said, reader = Source(given.table, wanted.taken, release=release), list[str](), MediaReader(on_error)
    source.refuse_missing()
    known = task_of(wanted.task, source.column(str(wanted.target)), said)
    described = {
        name: described_by(name, spec, source, given.folder, MediaReader(on_error), said)
        for name, spec in (wanted.modalities or {}).items()
    }
    release()
    task = choice_of(described) if wanted.task == "choice" else known
    schema = Schema(task, described, grouped=bool(wanted.group), weighted=bool(wanted.weight))
    with corpus_writer(out, schema, splits=partial(splits_of, source, wanted.split), errors=reader.errors) as writer:
        for start, piece in pieces(given.table, described):
            rows = Source(piece, wanted.taken, start + 1)
            writer.add(cells=cells_of(rows, described, given.folder, reader), **beside(rows, wanted, task))
            release()
        writer.describe(about_of(given.name, wanted, said, reader))
    if wanted.guessed:
        write_json(Path(out) / "mapping.json", wanted.to_json(described))
    return Corpus(out)


def cells_of(rows: Source, described: Mapping[str, Modality], folder: Path, reader: MediaReader) -> dict[str, Cells]:
    """Of each modality."""
    return {
        name: cells_from_table(rows.table, name, each, folder=folder, first_row=rows.first_row, reader=reader)
        for name, each in described.items()
    }


def beside(rows: Source, wanted: Wanted, task: Task) -> dict[str, Any]:
    """Targets, and ids, groups and weights, None where no column says them."""
    return {
        "targets": targets_in(rows.column(str(wanted.target)), task),
        "ids": rows.column(wanted.id).names() if wanted.id else None,
        "groups": rows.column(wanted.group).categories() if wanted.group else None,
        "weights": rows.column(wanted.weight).numbers() if wanted.weight else None,
    }


def at_hand(data: Data, delimiter: str) -> tuple[Framed, Callable[[], None]]:
    """The table, and what lets go of the memory that looking at it took; ValueError without rows. A file's are read once, some at
    a time.
    """
    if isinstance(data, str | Path):
        path = Path(data)
        spool = spooled(pieces_of(path, rows=ROWS, delimiter=delimiter))
        given, release = Framed(spool.table, path.name, arrow_of, folder_of(path)), spool.release
    else:
        given, release = framed(data, delimiter=delimiter), lambda: None
    if not len(given.table):
        raise ValueError(f"{given.name} has columns ({', '.join(given.table.column_names)}) but no row")
    return given, release


def pieces(table: pa.Table, described: Mapping[str, Modality]) -> Iterator[tuple[int, pa.Table]]:
    """Rows that are made cells of together, and the place of the first."""
    light = all(each.kind in LIGHT for each in described.values())
    rows = max(FEW, min(ROWS, FEW * PIECE_BYTES // (table.slice(0, FEW).nbytes + 1))) if light else FEW
    return ((start, table.slice(start, rows)) for start in range(0, len(table), rows))


def splits_of(source: Source, column: str | None, corpus: Corpus) -> list[Split]:
    """The split that a column of the table says, if one does."""
    return [given_split(corpus, name="given", parts=source.column(column).categories())] if column else []


def about_of(source: str, wanted: Wanted, said: list[str], reader: MediaReader) -> dict[str, str]:
    """What the corpus says of where it came from; what there is nothing to say of is left out."""
    about = {"source": source, "target": wanted.target or "", "guessed": wanted.guessed, "inferred": "; ".join(said)}
    about |= {"skipped": f"{len(reader.errors)} files, see errors.json" if reader.errors else ""}
    return {name: each for name, each in about.items() if each}


def described_by(name: str, spec: Spec, source: Source, folder: Path, reader: MediaReader, said: list[str]) -> Modality:
    """A modality as it turns out to be; what had to be inferred is added to `said`."""
    modality = modality_of(name, spec, source, said)
    modality = replace(modality, double=blurred(name, modality, source, folder), shared=repeated(name, modality, source))
    if modality.kind not in WIDE:
        return modality
    table, start, rows = source.table, 0, FEW
    while start < len(table):
        cells = cells_from_table(table.slice(start, rows), name, modality, folder=folder, first_row=start + 1, reader=reader)
        if width := width_of(cells):
            return replace(modality, width=width)
        start, rows = start + rows, ROWS
    raise ValueError(f"modality {name!r} is absent in every row; leave it out")


def repeated(name: str, modality: Modality, source: Source) -> bool:
    """Whether rows name the same files."""
    column = source.table[source_columns(name, modality)[0]]
    if modality.kind not in SHARED or not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return False
    return pc.count_distinct(column).as_py() < len(column) - column.null_count  # pyright: ignore[reportAttributeAccessIssue]


def blurred(name: str, modality: Modality, source: Source, folder: Path) -> bool:
    """Whether float32 would blur the numbers of a vector, a sequence or regions, by rows evenly spread over the table."""
    if modality.kind not in ("vector", "sequence", "regions"):
        return False
    count = len(source.table)
    rows = np.unique(np.linspace(0, count - 1, min(LOOKED_AT, count)).astype(np.intp))
    try:
        some = taken(source, list(dict.fromkeys(source_columns(name, modality))), rows)
        sample = cells_from_table(some, name, replace(modality, double=True), folder=folder)
        standard = Standardisation.fit(np.atleast_2d(sample.values[row]) for row in np.flatnonzero(sample.present))
    except (ValueError, OSError):
        return False  # the reading of all rows says what is wrong, and where
    return bool((np.abs(standard.mean) * 2.0**-24 > BLURRED * standard.scale).any())


def taken(source: Source, columns: Sequence[str], rows: NDArray[np.intp]) -> pa.Table:
    """Rows in ascending order, without copying all that they lie among as Arrow's own `take` does."""
    table, start = source.table.select(columns), 0
    found = [table.slice(0, 0)]
    for batch in table.to_batches():
        inside = rows[(rows >= start) & (rows < start + len(batch))] - start
        found.append(pa.Table.from_batches([batch.take(pa.array(inside))]))
        source.release()
        start += len(batch)
    return pa.concat_tables(found)


def width_of(cells: Cells) -> int:
    """D of vectors, sequences and regions, K of choices; 0 where no row is there."""
    if not cells.present.any():
        return 0
    if cells.kind == "vector":
        return int(cells.values.shape[1])
    first = cells.values[int(np.argmax(cells.present))]
    return {"choices": len, "sequence": lambda rows: rows.shape[1], "regions": lambda rows: rows.shape[1] - CORNERS}[cells.kind](
        first
    )
