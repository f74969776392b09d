"""Predict with a shipped student: table in, predictions or embeddings out. Needs onnxruntime, never torch."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.artifact.answers import Predicted, as_table
from understudy.artifact.contract import Contract, read_contract, verify
from understudy.artifact.session import Session
from understudy.prepare import restore
from understudy.prepare.cells import Cells, Modality
from understudy.prepare.faults import Fault, read_around
from understudy.prepare.frames import Data, framed
from understudy.prepare.source import absent, cells_from_table, source_columns
from understudy.prepare.view import FieldArrays, View, trim

ROWS_AT_ONCE = 32
"""Rows prepared and run together: bounds memory where a row may be a picture or a long text."""
FLAT_ROWS_AT_ONCE = 1024
"""The same where every modality is a vector or a table."""


class Artifact:
    """A verified artifact folder, ready to predict. Safe to call from several threads.

    Raises FileNotFoundError where there is no folder and ValueError where one was changed or is of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        verify(self.folder)
        self.contract: Contract = read_contract(self.folder)
        graphs = self.contract.graphs
        self._sessions = {reads: Session(self.folder / file, self.contract.output) for reads, file in graphs.items()}
        try:
            self.views: dict[str, View] = {name: self._view(name) for name in self.contract.views}
            self._try()
        except (LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
            said = f"{type(error).__name__}: {error}".splitlines()[0]
            raise ValueError(f"artifact {self.folder}: its contract does not fit its views and graph ({said})") from None

    def _try(self) -> None:
        """Answer a row that has nothing: what does not fit together is found now, and the first real row is as fast as others."""
        for reads in self._sessions:
            self._run(reads, {}, 1)

    def _view(self, modality: str) -> View:
        shipped = self.contract.views[modality]
        assets = {name: (self.folder / file).read_bytes() for name, file in shipped.assets.items()}
        return restore(shipped.view, shipped.state, assets)

    @property
    def modalities(self) -> Mapping[str, Modality]:
        """What the student can read, by name."""
        return self.contract.modalities

    @property
    def rows_at_once(self) -> int:
        """Rows that are prepared and run together."""
        flat = all(modality.kind in ("vector", "table") for modality in self.modalities.values())
        return FLAT_ROWS_AT_ONCE if flat else ROWS_AT_ONCE

    def readable(self, columns: Collection[str], *, only: Collection[str] | None = None) -> tuple[str, ...]:
        """The modalities to read from a table with these columns; those without any column there are absent.

        only: read no other modality, to see what the student says without them. ValueError for an unknown name there,
        for a modality of which a part of the columns is missing, and when no modality is left.
        """
        wanted = self._known(self.modalities if only is None else only)
        missing = {m: [c for c in source_columns(m, self.modalities[m]) if c not in columns] for m in wanted}
        whole = tuple(m for m in wanted if not missing[m])
        for modality in wanted:
            partly = len(missing[modality]) < len(source_columns(modality, self.modalities[modality]))
            if missing[modality] and (partly or not whole):
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
    ) -> Any:
        """One row of `prediction` (and `probability_{class}` columns) for each row given; null where nothing is present.

        data: a frame of pandas (whose index comes back), polars or pyarrow, a Hugging Face Dataset, a dict of columns or a list
        of rows; the answer is of the same kind. Of a path it is a pyarrow table.
        Of choices the prediction is the place of one, from 0. Of classes that are apart it is the likeliest, with its
        `probability` alone. Of a retrieval student, `embedding_{branch}` instead: lists of numbers, null where the row lacks it.
        folder: what relative media paths are relative to; else a file's own folder, or the working one. only: as in `readable`.
        faults: takes the cells that cannot be read, which are absent then; without it the first of them is a ValueError.
        """
        given = framed(data)
        # Of thousands of classes a slice's probabilities are let go before the next one's are computed.
        slices = self.predict_table(given.table, folder=folder or given.folder, only=only, faults=faults)
        answers = [self.as_table(predicted) for predicted in slices]
        nothing = self.as_table(Predicted(self._filler(0), np.zeros(0, dtype=bool)))
        return given.back(pa.concat_tables([nothing, *answers]).combine_chunks())

    def predict_table(
        self, table: pa.Table, *, folder: Path, only: Collection[str] | None = None, faults: list[Fault] | None = None
    ) -> Iterator[Predicted]:
        """The same some rows at a time, so that between them a caller can stop, or write what there is."""
        modalities = self.readable(table.column_names, only=only)
        for start in range(0, len(table), self.rows_at_once):
            piece = table.slice(start, self.rows_at_once)
            yield self.predict_cells({m: self._read(piece, m, start + 1, folder, faults) for m in modalities})

    def _read(self, table: pa.Table, modality: str, first_row: int, folder: Path, faults: list[Fault] | None) -> Cells:
        def read(some: pa.Table, first: int) -> Cells:
            return cells_from_table(some, modality, self.modalities[modality], folder=folder, first_row=first)

        if faults is None:
            return read(table, first_row)
        columns = table.select(list(source_columns(modality, self.modalities[modality])))
        cells, found = read_around(columns, read, modality, first_row)
        faults += found
        return cells

    def predict_cells(self, cells: Mapping[str, Cells]) -> Predicted:
        """Predictions for rows in memory; a modality that is not given is absent in every row."""
        given = self._known(cells)
        if not given:
            raise ValueError(f"no modality given; this student reads: {', '.join(self.modalities)}")
        seen = np.any([cells[m].present for m in given], axis=0)
        values = self._filler(len(seen))
        for reads in self._sessions:
            here = np.any([cells[m].present for m in reads if m in given] or [np.zeros_like(seen)], axis=0)
            part = values[:, self.contract.branches.index(reads[0])] if self.contract.branches else values
            rows = np.flatnonzero(here)
            for start in range(0, len(rows), self.rows_at_once):
                some = rows[start : start + self.rows_at_once]
                part[some] = self._run(reads, {m: cells[m].take(some) for m in reads if m in given}, len(some))
        return Predicted(values, seen)

    def _run(self, reads: tuple[str, ...], cells: Mapping[str, Cells], rows: int) -> NDArray[np.floating[Any]]:
        feed: FieldArrays = {}
        for modality in reads:
            here = cells[modality] if modality in cells else absent(self.modalities[modality], rows)
            fields = trim(self.views[modality].prepare(here)) | {"present": here.present}
            feed |= {f"{modality}.{name}": values for name, values in fields.items()}
        inputs = {i.name: feed[i.name] for i in self.contract.inputs if i.name in feed}
        return self._sessions[reads].run(inputs)

    def _filler(self, rows: int) -> NDArray[np.floating[Any]]:
        session = next(iter(self._sessions.values()))
        shape = [rows]
        if self.contract.branches:
            shape += [len(self.contract.branches), session.width]
        elif self.contract.classes or self.contract.choices:
            shape += [len(self.contract.classes) or self.contract.choices]
        return np.full(shape, np.nan, dtype=session.dtype)

    def as_table(self, predicted: Predicted) -> pa.Table:
        """As `answers.as_table`."""
        return as_table(self.contract, predicted)


def _list(names: list[str]) -> str:
    return f"{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _has(columns: Collection[str]) -> str:
    shown = list(columns)[:20]
    return f"the table has: {', '.join(shown) or 'no columns'}{' ...' if len(columns) > len(shown) else ''}"
