"""JSON rows of a client -> a table -> predictions. What a client sends is never a path on this machine."""

import base64
import binascii
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from understudy.artifact.predict import Artifact
from understudy.prepare.source import source_columns

Row = dict[str, Any]
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


def predict_rows(artifact: Artifact, rows: list[Row]) -> dict[str, Any]:
    """`predictions` (as in a file of `predict`, null where nothing is present), how many are `answered`, and `modalities` read.

    Each row holds all columns of a modality or none of them; null is a missing value. Other keys are ignored.
    """
    columns = {c: m for m, modality in artifact.modalities.items() for c in source_columns(m, modality)}
    for place, row in enumerate(rows, start=1):
        check_row(artifact, place, row)
    given = [c for c in columns if any(c in row for row in rows)]
    with TemporaryDirectory(prefix="understudy-") as name:
        arrays = {}
        for column in given:
            values = [row.get(column) for row in rows]
            kind = artifact.modalities[columns[column]].kind
            if kind in MEDIA:
                values = store_media(values, column, Path(name))
            elif kind in NUMBERS:
                refuse_text(values, column)
            arrays[column] = to_array(values, column)
        try:
            answers = artifact.predict(pa.table(arrays), folder=Path(name)).to_pylist()
        except ValueError as error:
            raise ValueError(str(error).replace(f"{name}/", "")) from None
    answered = sum(any(value is not None for value in answer.values()) for answer in answers)
    return {"predictions": answers, "answered": answered, "modalities": list(artifact.readable(given))}


def check_row(artifact: Artifact, place: int, row: Row) -> None:
    """ValueError for a modality of which a row holds a part, or a row that holds no modality."""
    try:
        artifact.readable(row.keys())
    except ValueError as error:
        raise ValueError(f"row {place}: {error}") from None


def refuse_text(values: list[Any], column: str) -> None:
    """Text where numbers belong would be read as the path of an array, on this machine."""
    for place, value in enumerate(values, start=1):
        if isinstance(value, str):
            raise ValueError(f"column {column!r}, row {place}: text given; expected a number or a list of numbers")


def to_array(values: list[Any], column: str) -> pa.Array:
    """A column of one type; ValueError that names it otherwise."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(f"column {column!r}: its values are not of one type that a table can hold: {error}") from None


def store_media(values: list[Any], column: str, folder: Path) -> list[str | None]:
    """Base64 file contents as files under names of our own, so that media are read as they are from a user's table."""
    names: list[str | None] = []
    for place, value in enumerate(values, start=1):
        if value is None:
            names.append(None)
            continue
        try:
            content = base64.b64decode(value, validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError(f"column {column!r}, row {place}: expected a file's bytes in base64") from None
        names.append(f"{column.encode().hex()[:64]}-{place}")
        (folder / f"{column.encode().hex()[:64]}-{place}").write_bytes(content)
    return names
