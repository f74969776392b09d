"""A user's own table as a corpus."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.columns import Source, Spec, Wanted, modality_of
from understudy.corpus.importers.target import choice_of, task_of
from understudy.corpus.schema import Schema
from understudy.corpus.split import Split
from understudy.corpus.write import write_corpus
from understudy.prepare.boxes import CORNERS
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.columns import Column
from understudy.prepare.frames import Data, framed
from understudy.prepare.reader import MediaReader, OnError
from understudy.prepare.source import cells_from_table
from understudy.prepare.standardisation import Standardisation
from understudy.process.whole import write_json
from understudy.tasks import Task

BLURRED = 1e-4
"""Float32's error of a number beside the numbers' deviation from which on they are kept as float64."""
LOOKED_AT = 1_000
"""Rows that say whether they are."""


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
    mapping: Path | str | None = None,
    guess: bool = False,
    delimiter: str = "",
    on_error: OnError = "fail",
) -> Corpus:
    """A corpus from a .csv, .tsv, .parquet, .jsonl or .npz file, or from data in memory: see `framed`.

    modalities: name -> `kind:column,column` (kinds: vector, table, sequence, text, choices, image, regions, video, audio@RATE
    with samples a second, also of video files; columns may be patterns such as `a_*`), a Modality, or columns alone. choices:
    as many columns of text, or one of lists of texts. task: a Task, regression, classification, retrieval or choice (the target
    is the right one's place, from 0); where not stated, strings and few whole numbers are classes, others a regression.
    group: rows of one group never part. split: a column of train / valid / test becomes the split `given`. mapping: a JSON
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
    wanted = Wanted(target, task, modalities, id, group, split).over(Wanted.read(mapping) if mapping else Wanted())
    if not wanted.target or not (wanted.modalities or guess):
        raise ValueError("say which column is the target and which columns are which modality (arguments or a mapping file)")
    given = framed(data, delimiter=delimiter)
    wanted = wanted if wanted.modalities else wanted.with_guesses(given.table)
    if not len(given.table):
        raise ValueError(f"{given.name} has columns ({', '.join(given.table.column_names)}) but no row")
    source, said = Source(given.table, wanted.taken), list[str]()
    columns = {use: source.column(name) for use, name in wanted.taken.items()}
    known, targets = task_of(wanted.task, columns["target"], said)
    reader = MediaReader(on_error)
    described, cells = read_modalities(wanted.modalities or {}, source, given.folder, reader, said)
    if wanted.task == "choice":
        known = choice_of(described)
    corpus = write_corpus(
        out,
        Schema(known, described, grouped="group" in columns, about=about_of(given.name, wanted, said, reader)),
        ids=ids_of(columns.get("id"), len(given.table)),
        targets=targets,
        groups=columns["group"].categories() if "group" in columns else None,
        cells=cells,
        splits=partial(splits_of, columns.get("split")),
        errors=reader.errors,
    )
    if wanted.guessed:
        write_json(corpus.folder / "mapping.json", wanted.to_json(described))
    return corpus


def ids_of(column: Column | None, rows: int) -> NDArray[np.object_]:
    """What the rows are called; row-1 ... where no column says it."""
    if column is not None:
        return column.categories(missing=False)
    return np.array([f"row-{row}" for row in range(1, rows + 1)], object)


def splits_of(column: Column | None, corpus: Corpus) -> list[Split]:
    """The split that a column of the table says, if one does."""
    return [] if column is None else [given_split(corpus, name="given", parts=column.categories())]


def about_of(source: str, wanted: Wanted, said: list[str], reader: MediaReader) -> dict[str, str]:
    """What the corpus says of where it came from; what there is nothing to say of is left out."""
    about = {"source": source, "target": wanted.target or "", "guessed": wanted.guessed, "inferred": "; ".join(said)}
    about |= {"skipped": f"{len(reader.errors)} files, see errors.json" if reader.errors else ""}
    return {name: each for name, each in about.items() if each}


def read_modalities(
    specs: Mapping[str, Spec], source: Source, folder: Path, reader: MediaReader, said: list[str]
) -> tuple[dict[str, Modality], dict[str, Cells]]:
    """Each modality as it turns out to be, and its cells; what had to be inferred is added to `said`."""
    described: dict[str, Modality] = {}
    cells: dict[str, Cells] = {}
    for name, spec in specs.items():
        modality = modality_of(name, spec, source, said)
        modality = replace(modality, double=blurred(name, modality, source.table, folder))
        cells[name] = cells_from_table(source.table, name, modality, folder=folder, reader=reader)
        if not cells[name].present.any():
            if reader.errors:
                raise ValueError(f"modality {name!r}: no file can be read; the first: {reader.errors[0]}")
            raise ValueError(f"modality {name!r} is absent in every row; leave it out")
        described[name] = replace(modality, width=width_of(cells[name]) or modality.width)
    return described, cells


def blurred(name: str, modality: Modality, table: pa.Table, folder: Path) -> bool:
    """Whether float32 would blur the numbers of a vector, a sequence or regions, by rows evenly spread over the table."""
    if modality.kind not in ("vector", "sequence", "regions"):
        return False
    rows = np.unique(np.linspace(0, len(table) - 1, min(LOOKED_AT, len(table))).astype(int)) if len(table) else []
    try:
        sample = cells_from_table(table.take(rows), name, replace(modality, double=True), folder=folder)
        standard = Standardisation.fit(np.atleast_2d(sample.values[row]) for row in np.flatnonzero(sample.present))
    except (ValueError, OSError):
        return False  # the reading of all rows says what is wrong, and where
    return bool((np.abs(standard.mean) * 2.0**-24 > BLURRED * standard.scale).any())


def width_of(cells: Cells) -> int:
    """D of vectors, sequences and regions, K of choices, 0 for other kinds."""
    if cells.kind == "vector":
        return int(cells.values.shape[1])
    if cells.kind not in ("sequence", "regions", "choices") or not cells.present.any():
        return 0
    first = cells.values[int(np.argmax(cells.present))]
    return {"choices": len, "sequence": lambda rows: rows.shape[1], "regions": lambda rows: rows.shape[1] - CORNERS}[cells.kind](
        first
    )
