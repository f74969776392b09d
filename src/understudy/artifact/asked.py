"""Asked: what `predict` is asked of each piece of a file, and its answer. No torch."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from understudy.artifact.answers import absent_of, answered
from understudy.artifact.cascade import Cascade
from understudy.artifact.confidence import Wish
from understudy.artifact.parts import Answered
from understudy.artifact.predict import Artifact
from understudy.artifact.writers import to_dict
from understudy.prepare.faults import Fault
from understudy.prepare.frames import arrow_of
from understudy.prepare.pieces import files_of, folder_of, pieces_of
from understudy.prepare.reader import OnError
from understudy.process.whole import CHECKSUMS, sha256

PIECE = 2**13
"""Rows that are answered, and kept, together: whole windows of the rows that are prepared at once."""


@dataclass(frozen=True)
class Asked:
    """What is asked of every piece of the input. only: the modalities to read."""

    path: Path
    id: str | None
    only: tuple[str, ...] | None
    delimiter: str
    on_error: OnError
    wish: Wish
    rows: int = field(default_factory=lambda: PIECE)
    """Of a piece."""

    def somewhere(self) -> "Asked":
        """The same, asked from another folder."""
        return replace(self, path=self.path.resolve())

    def pieces(self) -> Iterator[pa.Table]:
        """The input, some rows at a time."""
        return pieces_of(self.path, rows=self.rows, delimiter=self.delimiter)

    def answer(self, artifact: Artifact | Cascade, table: pa.Table, first_row: int) -> Answered:
        """The answers to a piece of the input whose first row is so called."""
        names, faults = row_names(table, self.id, first_row), list[Fault]()
        noted = faults if self.on_error == "skip" else None
        answers = artifact.answer(
            table, folder=folder_of(self.path), only=self.only, faults=noted, wish=self.wish, first_row=first_row
        )
        if taken := set(names.column_names) & set(answers):
            raise ValueError(f"the id column may not be called {taken.pop()!r}: a column of the predictions is; rename it")
        abstained = int(absent_of(answers["prediction"]).sum()) - len(table) + answered(answers) if "prediction" in answers else 0
        handed = int((answers["answered_by"].values == "teacher").sum()) if "answered_by" in answers else 0
        found = pa.table(to_dict(names) | to_dict(arrow_of(answers)))
        return Answered(found, answered(answers), abstained, handed, tuple(faults))

    def job(self, artifact: Artifact) -> dict[str, Any]:
        """What its answers depend on, as JSON: the input and the artifact by their content."""
        files = [[each.name, sha256(each)] for each in files_of(self.path)]
        said = {"id": self.id, "modalities": None if self.only is None else list(self.only), "delimiter": self.delimiter}
        said |= {"on_error": self.on_error, "wish": asdict(self.wish), "rows": self.rows}
        return said | {"input": files, "artifact": sha256(artifact.folder / CHECKSUMS)}


def row_names(table: pa.Table, id: str | None, first_row: int) -> pa.Table:
    """The column that says which row a prediction belongs to."""
    if id is None:
        return pa.table({"row": pa.array(range(first_row, first_row + len(table)), type=pa.int64())})
    if id not in table.column_names:
        raise ValueError(f"no column {id!r} for the ids; the table has: {', '.join(table.column_names)}")
    return table.select([id])
