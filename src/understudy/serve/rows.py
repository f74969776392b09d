"""JSON rows of a client -> a table -> predictions. What a client sends is never a path on this machine."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from understudy.artifact.answers import answered, joined
from understudy.artifact.predict import Artifact
from understudy.prepare.faults import Fault
from understudy.prepare.frames import rows_of
from understudy.prepare.reader import OnError
from understudy.prepare.source import source_columns
from understudy.prepare.tables import HALF, broken

Row = dict[str, Any]
Refuse = Callable[[int, str], None]
"""What is done about a row's cell that cannot be read: the row's number, and why."""
MEDIA = ("image", "audio", "video")
NUMBERS = ("vector", "sequence", "regions")


def parse_rows(content: bytes, *, most: int) -> list[Row]:
    """The rows of a request; ValueError unless it is a JSON list of 1 to `most` objects."""
    try:
        rows = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the request is not JSON: {error}") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError('expected a JSON list of objects, one a row: [{"column": value, ...}, ...]')
    if not 1 <= len(rows) <= most:
        raise ValueError(f"{len(rows)} rows given; 1 to {most} are allowed in one request")
    return rows


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON number; use null for a missing one")


def predict_rows(
    artifact: Artifact, rows: list[Row], *, on_error: OnError = "fail", check: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """`predictions` (as in a file of `predict`, null where nothing is present), how many are `answered`, and `modalities` read.

    Each row holds all columns of a modality or none of them; null, or a blank text, is a missing value. Other keys are ignored.
    on_error: "skip" adds `errors`, the cells that cannot be read, which are absent. check: is called between some rows and the
    next, and may raise to end the work.
    """
    for place, row in enumerate(rows, start=1):
        check_row(artifact, place, row)
    faults: list[Fault] | None = [] if on_error == "skip" else None
    with TemporaryDirectory(prefix="understudy-") as name:
        table = table_of(artifact, rows, Path(name), faults)
        try:
            parts = []
            for predicted in artifact.predict_table(table, folder=Path(name), faults=faults):
                parts.append(artifact.columns_of(predicted))
                check()
        except ValueError as error:
            raise ValueError(plain(str(error), name)) from None
    answers = joined(parts)
    said = {"predictions": rows_of(answers), "answered": answered(answers)}
    said["modalities"] = list(artifact.readable(table.column_names))
    if faults is not None:
        found = sorted(faults, key=lambda fault: fault.row)
        said["errors"] = [asdict(fault) | {"reason": plain(fault.reason, name)} for fault in found]
    return said


def table_of(artifact: Artifact, rows: list[Row], folder: Path, faults: list[Fault] | None) -> pa.Table:
    """The columns that the artifact reads; media lie in `folder`."""
    columns = {c: m for m, modality in artifact.modalities.items() for c in source_columns(m, modality)}
    arrays = {}
    for column, modality in columns.items():
        if not any(column in row for row in rows):
            continue

        def refuse(row: int, why: str, column: str = column, modality: str = modality) -> None:
            said = f"column {column!r}, row {row}: {why}"
            if faults is None:
                raise ValueError(said)
            faults.append(Fault(row, modality, said))

        kind = artifact.modalities[modality].kind
        values = [None if blank(value := row.get(column)) else value for row in rows]
        if kind in MEDIA:
            values = store_media(values, column, folder, refuse)
        elif kind in NUMBERS:
            values = without_text(values, refuse)
        arrays[column] = to_array(values, column)
    return pa.table(arrays)


def blank(value: Any) -> bool:
    """Whether a box of the page was left empty."""
    return isinstance(value, str) and not value.strip()


def plain(said: str, folder: str) -> str:
    """A message without the names that a client's media have here."""
    return " ".join("what was sent" if folder in word else word for word in said.split(" "))


def check_row(artifact: Artifact, place: int, row: Row) -> None:
    """ValueError for a modality of which a row holds a part, or a row that holds no modality."""
    try:
        artifact.readable(row.keys())
    except ValueError as error:
        raise ValueError(f"row {place}: {error}") from None


def without_text(values: list[Any], refuse: Refuse) -> list[Any]:
    """Text where numbers belong would be read as the path of an array, on this machine."""
    found = []
    for place, value in enumerate(values, start=1):
        if isinstance(value, str):
            refuse(place, "text given; expected a number or a list of numbers")
        found.append(None if isinstance(value, str) else value)
    return found


def to_array(values: list[Any], column: str) -> pa.Array:
    """A column of one type; words beside numbers make all of them words, as in a .csv. ValueError that names it otherwise."""
    if any(isinstance(value, str) for value in values):
        values = [json.dumps(value) if isinstance(value, int | float) else value for value in values]
    try:
        return pa.array(values)
    except UnicodeEncodeError:
        row = next(row for row, value in enumerate(values, start=1) if broken(value))
        raise ValueError(f"column {column!r}, row {row}: {HALF}") from None
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(f"column {column!r}: its values are not of one type that a table can hold: {error}") from None


def store_media(values: list[Any], column: str, folder: Path, refuse: Refuse) -> list[str | None]:
    """Base64 file contents as files under names of our own, so that media are read as they are from a user's table."""
    names: list[str | None] = []
    for place, value in enumerate(values, start=1):
        names.append(None)
        if value is None:
            continue
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            refuse(place, "expected a file's bytes in base64")
            continue
        names[-1] = f"{column.encode().hex()[:64]}-{place}"
        (folder / names[-1]).write_bytes(content)
    return names
