"""Predict with a shipped student: table in, predictions or embeddings out. Needs onnxruntime, never torch."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.artifact.answers import Predicted, columns_of, joined
from understudy.artifact.confidence import NOTHING, Wish
from understudy.artifact.contract import Contract, read_contract, verify
from understudy.artifact.feeds import Feed, Places
from understudy.artifact.session import Session
from understudy.prepare import restore
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.faults import Fault, read_around
from understudy.prepare.frames import Answers, Data, framed
from understudy.prepare.source import absent, cells_from_table, source_columns
from understudy.prepare.view import FieldArrays, View
from understudy.process.markup import shown

ROWS_AT_ONCE = 1024
"""Rows prepared together: what a look at their lengths can put beside its like."""
HEAVY_ROWS_AT_ONCE = 32
"""The same where a row may be a picture, a sound or a long sequence: bounds memory."""
LIGHT = ("vector", "table", "text", "choices")
"""Kinds of a few numbers or tokens a row."""
SHOWN = 10
"""Classes that a notebook is shown."""


class Artifact:
    """A verified artifact folder, ready to predict. Safe to call from several threads.

    threads: of the CPU, which the graph runs on; all cores when 0.
    Raises FileNotFoundError where there is no folder and ValueError where one was changed or is of another format.
    """

    def __init__(self, folder: str | Path, *, threads: int = 0) -> None:
        self.folder = Path(folder)
        verify(self.folder)
        self.contract: Contract = read_contract(self.folder)
        self._graphs = {
            reads: (Session(self.folder / file, self.contract.output, threads=threads), Feed(self.contract.inputs, reads))
            for reads, file in self.contract.graphs.items()
        }
        try:
            self.views: dict[str, View] = {name: self._view(name) for name in self.contract.views}
            self._try()
        except (LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(f"artifact {self.folder}: its contract does not fit its views and graph ({said})") from None

    def _try(self) -> None:
        """Answer a row that has nothing: what does not fit together is found now, and the first real row is as fast as others."""
        for reads in self._graphs:
            self._run(reads, {}, 1)

    def _view(self, modality: str) -> View:
        shipped = self.contract.views[modality]
        assets = {name: (self.folder / file).read_bytes() for name, file in shipped.assets.items()}
        return restore(shipped.view, shipped.state, assets)

    def __repr__(self) -> str:
        return f"Artifact({str(self.folder)!r}, reads {', '.join(self.modalities)}; {self.contract.task['kind']})"

    def _repr_html_(self) -> str:
        """For a notebook: what it reads, from which columns, and what it says."""
        rows = [(name, each.kind, ", ".join(source_columns(name, each))) for name, each in self.modalities.items()]
        classes = self.contract.classes
        more = f" and {len(classes) - SHOWN} more" if len(classes) > SHOWN else ""
        of = f" of {', '.join(classes[:SHOWN])}{more}" if classes else ""
        line = f"Artifact {self.contract.name}: {self.contract.task['kind']}{of}"
        return shown(line, ("reads", "kind", "columns"), rows)

    def __fspath__(self) -> str:
        """An artifact stands where its folder is asked for."""
        return str(self.folder)

    @property
    def modalities(self) -> Mapping[str, Modality]:
        """What the student can read, by name."""
        return self.contract.modalities

    @cached_property
    def light(self) -> bool:
        """Whether each row is a few numbers or tokens."""
        return all(modality.kind in LIGHT for modality in self.modalities.values())

    @cached_property
    def rows_at_once(self) -> int:
        """Rows that are prepared together."""
        return ROWS_AT_ONCE if self.light else HEAVY_ROWS_AT_ONCE

    @cached_property
    def _columns(self) -> dict[str, tuple[str, ...]]:
        return {name: source_columns(name, modality) for name, modality in self.modalities.items()}

    def readable(self, columns: Collection[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        """The modalities to read from a table with these columns; those without any column there are absent.

        only: read no other modality, to see what the student says without them. ValueError for an unknown name there,
        for a modality of which a part of the columns is missing, and when no modality is left.
        """
        wanted = self._known(self.modalities if only is None else only)
        there = set(columns)
        missing = {m: [c for c in self._columns[m] if c not in there] for m in wanted}
        whole = tuple(m for m in wanted if not missing[m])
        partly = [m for m in wanted if 0 < len(missing[m]) < len(self._columns[m])]
        for modality in partly or ([] if whole else wanted):
            raise ValueError(f"modality {modality!r} needs the missing column{_list(missing[modality])}; {_has(columns)}")
        return whole

    def _known(self, asked: Iterable[str]) -> list[str]:
        unknown = [m for m in asked if m not in self.modalities]
        if unknown:
            raise ValueError(f"unknown modality{_list(unknown)}; this student reads: {', '.join(self.modalities)}")
        return [m for m in self.modalities if m in asked]

    def predict(
        self,
        data: Data,
        *,
        folder: Path | None = None,
        only: Collection[str] | None = None,
        faults: list[Fault] | None = None,
        coverage: float = 0.0,
        min_confidence: float = 0.0,
    ) -> Any:
        """One row of `prediction` (and `probability_{class}` columns) for each row given; null where nothing is present.

        data: a frame of pandas (whose index comes back), polars or pyarrow, a Hugging Face Dataset, a dict of columns or a list
        of rows; the answer is of the same kind. Of a path it is a pyarrow table.
        Of choices the prediction is the place of one, from 0. Of classes that are apart it is the likeliest, with its
        `probability` alone. Of a retrieval student, `embedding_{branch}` instead: lists of numbers, null where the row lacks it.
        folder: what relative media paths are relative to; else a file's own folder, or the working one. only: as in `readable`.
        faults: takes the cells that cannot be read, which are absent then; without it the first of them is a ValueError.
        coverage: adds `low` and `high` of a number, or `in_set_{class}` of classes, which hold the truth in that share of rows.
        min_confidence: below it `prediction` is null, of classes. ValueError where the contract knows neither.
        """
        given = framed(data)
        wish = Wish(coverage, min_confidence)
        return given.back(self.answer(given.table, folder=folder or given.folder, only=only, faults=faults, wish=wish))

    def answer(
        self,
        table: pa.Table,
        *,
        folder: Path,
        only: Collection[str] | None = None,
        faults: list[Fault] | None = None,
        wish: Wish = NOTHING,
        first_row: int = 1,
    ) -> Answers:
        """The same of a table, as columns. first_row: what the user calls the first of its rows."""
        self.contract.refuse(wish)
        said = self.predict_table(table, folder=folder, only=only, faults=faults, first_row=first_row)
        # Of thousands of classes a slice's probabilities are let go before the next one's are computed.
        return joined([self.columns_of(each, wish) for each in said])

    def predict_table(
        self,
        table: pa.Table,
        *,
        folder: Path,
        only: Collection[str] | None = None,
        faults: list[Fault] | None = None,
        first_row: int = 1,
    ) -> Iterator[Predicted]:
        """The same some rows at a time, so that between them a caller can stop, or write what there is; once of no row."""
        modalities = self.readable(table.column_names, only=only)
        if not len(table):
            yield Predicted(self._filler(0), np.zeros(0, dtype=bool))
        for start in range(0, len(table), self.rows_at_once):
            piece = table.slice(start, self.rows_at_once) if len(table) > self.rows_at_once else table
            yield self.predict_cells({m: self._read(piece, m, first_row + start, folder, faults) for m in modalities})

    def _read(self, table: pa.Table, modality: str, first_row: int, folder: Path, faults: list[Fault] | None) -> Cells:
        def read(some: pa.Table, first: int) -> Cells:
            return cells_from_table(some, modality, self.modalities[modality], folder=folder, first_row=first)

        if faults is None:
            return read(table, first_row)
        columns = table.select(list(self._columns[modality]))
        cells, found = read_around(columns, read, modality, first_row)
        faults += found
        return cells

    def predict_cells(self, cells: Mapping[str, Cells]) -> Predicted:
        """Predictions for rows in memory; a modality that is not given is absent in every row."""
        given = self._known(cells)
        if not given:
            raise ValueError(f"no modality given; this student reads: {', '.join(self.modalities)}")
        seen = reduce(np.logical_or, [cells[m].present for m in given])
        if len(self._graphs) == 1 and 0 < len(seen) <= self.rows_at_once and seen.all():
            # The usual rows: all there, of few enough that they are prepared and answered as they are.
            values = self._run(next(iter(self._graphs)), cells, len(seen))
            if values.shape[1:] != self._shape:
                raise ValueError(
                    f"{self.contract.name}: its graph answers {values.shape[1:]}, its contract says {self._shape}; ship it anew"
                )
        else:
            values = self._some(given, cells, seen)
        sure = self.contract.confidence
        return Predicted(sure.calibrated(values) if sure and values.ndim == 2 else values, seen)

    def _some(self, given: list[str], cells: Mapping[str, Cells], seen: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
        """The answers of each graph to the rows that it reads anything of; NaN elsewhere."""
        values = self._filler(len(seen))
        for reads in self._graphs:
            read = [cells[m].present for m in reads if m in given]
            rows = np.flatnonzero(reduce(np.logical_or, read)) if read else np.zeros(0, dtype=np.intp)
            part = values[:, self.contract.branches.index(reads[0])] if self.contract.branches else values
            for start in range(0, len(rows), self.rows_at_once):
                some = rows[start : start + self.rows_at_once]
                part[some] = self._run(reads, {m: cells[m].take(some) for m in reads if m in given}, len(some))
        return values

    def _run(self, reads: tuple[str, ...], cells: Mapping[str, Cells], rows: int) -> NDArray[np.floating[Any]]:
        """The answers to rows that are prepared together, in their order."""
        session, _ = self._graphs[reads]
        values: NDArray[np.floating[Any]] | None = None
        for places, inputs in self.inputs(reads, cells, rows, 1 if self.contract.alone else self.rows_at_once):
            said = session.run(inputs)
            if len(said) == rows:
                return said
            values = np.empty((rows, *said.shape[1:]), dtype=said.dtype) if values is None else values
            values[places] = said
        assert values is not None
        return values

    def inputs(
        self, reads: tuple[str, ...], cells: Mapping[str, Cells], rows: int, most: int
    ) -> Iterator[tuple[Places, FieldArrays]]:
        """What enters the graph that `reads` these modalities, with the places of its rows, at most so many at a time."""
        _, feed = self._graphs[reads]
        prepared: dict[str, FieldArrays] = {}
        for modality in reads:
            here = cells[modality] if modality in cells else absent(self.modalities[modality], rows)
            fields = self.views[modality].prepare_for(here, feed.fields[modality])
            prepared[modality] = {"present": here.present, **fields}
        return feed.batches(prepared, rows, most)

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        """Of the answer to one row."""
        if self.contract.branches:
            session, _ = next(iter(self._graphs.values()))
            return (len(self.contract.branches), session.width)
        answers = len(self.contract.classes) or self.contract.choices
        return (answers,) if answers else ()

    def _filler(self, rows: int) -> NDArray[np.floating[Any]]:
        session, _ = next(iter(self._graphs.values()))
        return np.full((rows, *self._shape), np.nan, dtype=session.dtype)

    def columns_of(self, predicted: Predicted, wish: Wish = NOTHING) -> Answers:
        """As `answers.columns_of`."""
        return columns_of(self.contract, predicted, wish)


def _list(names: list[str]) -> str:
    return f"{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _has(columns: Collection[str]) -> str:
    shown = list(columns)[:20]
    return f"the table has: {', '.join(shown) or 'no columns'}{' ...' if len(columns) > len(shown) else ''}"
