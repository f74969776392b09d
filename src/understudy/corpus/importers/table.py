"""A user's own table: which columns are which modality, target, group and split, in arguments or in a small mapping file."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.draw import given_split
from understudy.corpus.importers.guess import guess as guess_modalities
from understudy.corpus.schema import Schema
from understudy.corpus.write import write_corpus
from understudy.prepare.boxes import CORNERS
from understudy.prepare.cells import KINDS, Cells, Modality
from understudy.prepare.columns import Column, is_plain_number, number_of, remedy
from understudy.prepare.frames import Data, framed
from understudy.prepare.reader import MediaReader, OnError
from understudy.prepare.source import cells_from_table
from understudy.prepare.standardisation import Standardisation
from understudy.process.whole import read_json, write_json
from understudy.tasks import Choice, Classification, Regression, Retrieval, Task, task_from_json

FEW = 10
"""Whole-number targets with at most this many different values are taken for classes where no task is stated."""

Spec = str | Modality | Sequence[str] | Mapping[str, Any]
"""`kind:column,column` (`audio@8000:column`), a Modality, columns alone, or `{"kind": ..., "columns": [...], "rate": ...}`."""


@dataclass(frozen=True, eq=False)
class _Source:
    """The table, and the columns that are no modality's."""

    table: pa.Table
    taken: Mapping[str, str]

    def column(self, name: str) -> Column:
        if name not in self.table.column_names:
            what = ", ".join(use for use, column in self.taken.items() if column == name) or "modality"
            raise ValueError(f"{what} column {name!r} is not in the table; it has {', '.join(self.table.column_names)}")
        return Column.of(self.table, name, 1)

    def select(self, patterns: Sequence[str], modality: str) -> tuple[str, ...]:
        """Column names in the patterns' order; `*`, `?` and `[...]` match any column that is not taken."""
        chosen: dict[str, None] = {}
        free = dict.fromkeys(name for name in self.table.column_names if name not in self.taken.values())
        for pattern in patterns:
            if pattern in self.taken.values():
                use = next(use for use, column in self.taken.items() if column == pattern)
                raise ValueError(f"modality {modality!r}: column {pattern!r} is the {use}; a model must not see it")
            found = [pattern] if pattern in free else [name for name in free if fnmatchcase(name, pattern)]
            if not found:
                has = ", ".join(self.table.column_names)
                raise ValueError(f"modality {modality!r}: no column {pattern!r} in the table; it has {has}")
            chosen |= dict.fromkeys(found)
        if not chosen:
            raise ValueError(f"modality {modality!r}: no column given")
        return tuple(chosen)


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
    """
    given = {"target": target, "task": task, "modalities": modalities, "id": id, "group": group, "split": split}
    settings = _read_mapping(mapping) | {key: value for key, value in given.items() if value is not None}
    if "target" not in settings or not (settings.get("modalities") or guess):
        raise ValueError("say which column is the target and which columns are which modality (arguments or a mapping file)")
    given_as = framed(data, delimiter=delimiter)
    about: dict[str, str] = {}
    if guess and not settings.get("modalities"):
        settings |= _guessed(given_as.table, settings, about)
    taken = {use: settings[use] for use in ("target", "id", "group", "split") if use in settings}
    source = _Source(given_as.table, taken)
    columns = {use: source.column(name) for use, name in taken.items()}
    said: list[str] = []
    known, targets = _task(settings.get("task"), columns["target"], said)
    reader = MediaReader(on_error)
    cells: dict[str, Cells] = {}
    described: dict[str, Modality] = {}
    for name, spec in settings["modalities"].items():
        modality = _modality(name, spec, source, said)
        modality = replace(modality, double=_blurred(name, modality, source.table, given_as.folder))
        cells[name] = cells_from_table(source.table, name, modality, folder=given_as.folder, reader=reader)
        if reader.errors and not cells[name].present.any():
            raise ValueError(f"modality {name!r}: no file can be read; the first: {reader.errors[0]}")
        described[name] = replace(modality, width=_width(cells[name]) or modality.width)
    if settings.get("task") == "choice":
        known = _choice(described)
    rows = source.table.num_rows
    ids = (
        columns["id"].categories(missing=False)
        if "id" in columns
        else np.array([f"row-{row}" for row in range(1, rows + 1)], object)
    )
    about = {"source": given_as.name, "target": settings["target"]} | about | ({"inferred": "; ".join(said)} if said else {})
    about |= {"skipped": f"{len(reader.errors)} files, see errors.json"} if reader.errors else {}
    parts = columns["split"].categories() if "split" in columns else None
    corpus = write_corpus(
        out,
        Schema(known, described, grouped="group" in columns, about=about),
        ids=ids,
        targets=targets,
        groups=columns["group"].categories() if "group" in columns else None,
        cells=cells,
        splits=() if parts is None else lambda corpus: [given_split(corpus, name="given", parts=parts)],
        errors=reader.errors,
    )
    if "guessed" in about:
        write_json(corpus.folder / "mapping.json", _mapping_of(settings, described))
    return corpus


def _guessed(table: pa.Table, settings: Mapping[str, Any], about: dict[str, str]) -> dict[str, Any]:
    """The modalities, and the id, that nobody named; why is added to what the corpus says of itself."""
    if settings["target"] not in table.column_names:
        raise ValueError(f"target column {settings['target']!r} is not in the table; it has {', '.join(table.column_names)}")
    found = guess_modalities(
        table, target=settings["target"], taken=[settings[u] for u in ("id", "group", "split") if u in settings]
    )
    about["guessed"] = "; ".join(found.lines())
    return {"modalities": found.modalities} | ({"id": found.id} if found.id and "id" not in settings else {})


def _mapping_of(settings: Mapping[str, Any], described: Mapping[str, Modality]) -> dict[str, Any]:
    """Settings as the mapping file that would say them."""
    modalities = {
        name: {"kind": each.kind, "columns": dict(each.columns) or list(each.source)} | ({"rate": each.rate} if each.rate else {})
        for name, each in described.items()
    }
    return {use: settings[use] for use in ("target", "id", "group", "split") if use in settings} | {"modalities": modalities}


def _read_mapping(path: Path | str | None) -> dict[str, Any]:
    if path is None:
        return {}
    document = read_json(Path(path))
    allowed = {"target", "task", "modalities", "id", "group", "split"}
    if not isinstance(document.get("modalities", {}), dict) or set(document) - allowed:
        raise ValueError(f"{path}: expected an object with the keys {', '.join(sorted(allowed))}")
    if isinstance(document.get("task"), dict):
        document["task"] = task_from_json(document["task"])
    return document


def _task(stated: Task | str | None, column: Column, said: list[str]) -> tuple[Task, Sequence[Any] | NDArray[Any]]:
    """The task with its classes, and the target of every row (None or NaN = unlabelled)."""
    if stated is None:
        stated, why = _infer_task(column)
        said.append(f"task: {stated}, from column {column.name!r}{why}")
    # How many choices there are is known once they are read.
    stated = {"regression": Regression(), "choice": Choice(2)}.get(stated, stated) if isinstance(stated, str) else stated
    if isinstance(stated, Regression | Choice):
        targets = column.numbers()
        if np.isnan(targets).all():
            raise ValueError(f"target column {column.name!r} holds no number")
        return stated, targets
    kinds = {"classification": Classification(), "retrieval": Retrieval()}
    task = kinds.get(stated) if isinstance(stated, str) else stated
    if not isinstance(task, Classification | Retrieval):
        raise ValueError(f"unknown task {stated!r}; known: regression, {', '.join(kinds)}, choice")
    names = column.categories()
    classes = task.classes
    classes = classes or tuple(sorted({name for name in names if name is not None}, key=_number_first))
    place = {name: number for number, name in enumerate(classes)}
    for row, name in enumerate(names):
        if name is not None and name not in place:
            raise column.fault(row, f"class {name!r} is none of {', '.join(classes)}")
    return replace(task, classes=classes), [None if name is None else place[name] for name in names]


def _choice(described: Mapping[str, Modality]) -> Choice:
    """The task between as many choices as a row has."""
    offered = [each.width for each in described.values() if each.kind == "choices"]
    if not offered:
        raise ValueError(
            f"task choice needs a modality of kind choices, such as text=choices:a,b,c,d; got {', '.join(described)}"
        )
    return Choice(offered[0])


def _number_first(name: str) -> tuple[float, str]:
    """Sorts "2" before "10", and numbers before words."""
    number = number_of(name)
    return (math.inf if number is None or math.isnan(number) else number), name


def _infer_task(column: Column) -> tuple[str, str]:
    """The task, and what a person may want to know of why; ValueError where one bad cell would decide it."""
    if pa.types.is_boolean(column.values.type):
        return "classification", ""
    if column.is_text:
        _refuse_nearly_numbers(column)
    if not _is_number(column):
        known = [name for name in column.categories() if name is not None]
        different = len(set(known))
        if different > max(FEW, len(known) / 2):
            what = f"{different} different words in {len(known)} rows with a target"
            raise ValueError(
                f"target column {column.name!r} holds {what}; if they are classes, say that the task is classification"
            )
        return "classification", ""
    numbers = column.numbers()
    different = np.unique(numbers[~np.isnan(numbers)])
    if len(different) <= FEW and (different % 1 == 0).all():
        return "classification", f": {len(different)} whole numbers; for amounts say that the task is regression"
    return "regression", ""


def _refuse_nearly_numbers(column: Column) -> None:
    """ValueError for a column of text that is meant to be numbers and has a cell that is none: classes are said by the user."""
    words = column.texts()
    read = {word: number_of(word) for word in set(words) if word is not None}
    numbers = {number for number in read.values() if number is not None}
    bad = next((row for row, word in enumerate(words) if word is not None and read[word] is None), None)
    if bad is None or (len(numbers) <= FEW and not any(remedy(word) for word in read)):
        return
    told = remedy(str(words[bad])) or "is not a number, as the others are"
    raise column.fault(bad, f"{words[bad]!r:.40} {told}; if the target is classes, say that the task is classification")


BLURRED = 1e-4
"""Float32's error of a number beside the numbers' deviation from which on they are kept as float64."""
LOOKED_AT = 1_000
"""Rows that say whether they are."""


def _blurred(name: str, modality: Modality, table: pa.Table, folder: Path) -> bool:
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


def _is_number(column: Column) -> bool:
    """Whether every cell is a number, finite or not, or missing."""
    if column.is_text:
        return all(word is None or number_of(word) is not None for word in set(column.texts()))
    return not column.is_list and is_plain_number(column.values.type)


def _modality(name: str, spec: Spec, source: _Source, said: list[str]) -> Modality:
    """The modality that a specification describes, with the columns it is read from."""
    kind, patterns, types, rate = _parse(name, spec)
    columns = source.select(patterns, name)
    if kind is None:
        kind = "vector" if all(_is_number(source.column(column)) for column in columns) else "table"
        said.append(f"{name}: {kind}")
    if kind != "table":
        return Modality(kind, rate=rate, source=columns)
    found: dict[str, Any] = {}
    for column in columns:
        stated = next((kind for pattern, kind in types.items() if column == pattern or fnmatchcase(column, pattern)), None)
        found[column] = stated or ("number" if _is_number(source.column(column)) else "category")
        said += [] if stated else [f"{name}.{column}: {found[column]}"]
    return Modality("table", columns=found, source=columns)


def _parse(name: str, spec: Spec) -> tuple[Any, Sequence[str], dict[str, Any], int]:
    """Kind (None = infer), column patterns, stated types of a table's columns, rate of audio."""
    if isinstance(spec, Modality):
        return spec.kind, spec.source or tuple(spec.columns) or (name,), dict(spec.columns), spec.rate
    if isinstance(spec, str):
        kind, colon, columns = spec.partition(":")
        kind, at, rate = kind.partition("@")
        spec = {"kind": kind, "columns": [each.strip() for each in columns.split(",")] if colon else [name]}
        spec |= {"rate": int(rate)} if at and rate.isdecimal() else {}
    if not isinstance(spec, Mapping):
        return None, spec, {}, 0
    if spec.get("kind") not in KINDS or set(spec) - {"kind", "columns", "rate"}:
        raise ValueError(f"modality {name!r}: {dict(spec)}: expected kind ({', '.join(KINDS)}), columns and, for audio, rate")
    columns = spec.get("columns", [name])
    columns = [columns] if isinstance(columns, str) else columns
    return spec["kind"], list(columns), dict(columns) if isinstance(columns, Mapping) else {}, int(spec.get("rate", 0))


def _width(cells: Cells) -> int:
    """D of vectors, sequences and regions, K of choices, 0 for other kinds."""
    if cells.kind == "vector":
        return int(cells.values.shape[1])
    if cells.kind not in ("sequence", "regions", "choices") or not cells.present.any():
        return 0
    first = cells.values[int(np.argmax(cells.present))]
    return {"choices": len, "sequence": lambda rows: rows.shape[1], "regions": lambda rows: rows.shape[1] - CORNERS}[cells.kind](
        first
    )
