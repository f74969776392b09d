"""Rows of a client -> a table -> answers. What a client sends is never a path on this machine. No torch."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa

from understudy.artifact.answers import answered, joined
from understudy.artifact.predict import Artifact
from understudy.artifact.session import GraphError
from understudy.prepare.faults import Fault
from understudy.prepare.frames import Answers, rows_of
from understudy.prepare.reader import OnError
from understudy.prepare.source import source_columns
from understudy.prepare.tables import HALF, broken
from understudy.serve.question import Question, Row

Refuse = Callable[[int, str], None]
"""What is done about a row's cell that cannot be read: the row's number, and why."""
MEDIA = ("image", "audio", "video")
NUMBERS = ("vector", "sequence", "regions")
LONGEST_TEXT = 100_000
"""Characters of a client's cell; no student reads so many tokens."""
Said = dict[str, Any]
"""What a question is answered, as JSON has it."""


def predict_rows(
    artifact: Artifact, question: Question, *, on_error: OnError = "fail", check: Callable[[], None] = lambda: None
) -> Said:
    """`predictions` (as in a file of `predict`, null where nothing is present), how many are `answered`, and `modalities` read.

    Each row holds all columns of a modality or none of them; null, or a blank text, is a missing value. Other keys are ignored.
    on_error: "skip" adds `errors`, the cells that cannot be read, which are absent. check: as `pieces`.
    """
    faults: list[Fault] | None = [] if on_error == "skip" else None
    answers = joined([*pieces(artifact, question, faults=faults, check=check)])
    return document(artifact, question, answers, faults)


def pieces(
    artifact: Artifact, question: Question, *, faults: list[Fault] | None = None, check: Callable[[], None] = lambda: None
) -> Iterator[Answers]:
    """The answers some rows at a time. check: is called between some rows and the next, and may raise to end the work."""
    artifact.contract.refuse(question.wish)
    for place, row in enumerate(question.rows, start=1):
        check_row(artifact, place, row, question.only)
    media = any(modality.kind in MEDIA for modality in artifact.modalities.values())
    with TemporaryDirectory(prefix="understudy-") if media else nullcontext("") as name:
        said: list[Fault] | None = None if faults is None else []
        table = table_of(artifact, question, Path(name), said)
        try:
            for predicted in artifact.predict_table(table, folder=Path(name), only=question.only, faults=said):
                yield artifact.columns_of(predicted, question.wish)
                check()
        except GraphError:
            raise
        except ValueError as error:
            raise ValueError(plain(str(error), name)) from None
        if faults is not None:
            faults += [Fault(each.row, each.modality, plain(each.reason, name)) for each in said or ()]


def document(artifact: Artifact, question: Question, answers: Answers, faults: list[Fault] | None) -> Said:
    """What is said of a question's rows; faults: as `pieces` found them, None where none are listed."""
    said: Said = {"predictions": rows_of(answers), "answered": answered(answers)}
    said["modalities"] = modalities_of(artifact, question)
    return said | errors_of(faults)


def errors_of(faults: list[Fault] | None) -> Said:
    """Cells that could not be read, by their rows; nothing where none are listed."""
    if faults is None:
        return {}
    return {"errors": [asdict(fault) for fault in sorted(faults, key=lambda fault: fault.row)]}


def modalities_of(artifact: Artifact, question: Question) -> list[str]:
    """What was read."""
    return list(artifact.readable({column for row in question.rows for column in row}, only=question.only))


def table_of(artifact: Artifact, question: Question, folder: Path, faults: list[Fault] | None) -> pa.Table:
    """The columns that the artifact reads; media lie in `folder`."""
    rows = question.rows
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
            values = store_media(values, column, question.files, folder, refuse)
        elif kind in NUMBERS:
            values = without_paths(values, kind, refuse)
        else:
            values = without_novels(values, refuse)
        arrays[column] = to_array(values, column)
    return pa.table(arrays)


def blank(value: Any) -> bool:
    """Whether a box of the page was left empty."""
    return isinstance(value, str) and not value.strip()


def plain(said: str, folder: str) -> str:
    """A message without the names that a client's media have here."""
    return " ".join("what was sent" if folder in word else word for word in said.split(" ")) if folder else said


def check_row(artifact: Artifact, place: int, row: Row, only: tuple[str, ...] | None) -> None:
    """ValueError for a modality of which a row holds a part, or a row that holds no modality."""
    try:
        artifact.readable(row.keys(), only=only)
    except ValueError as error:
        raise ValueError(f"row {place}: {error}") from None


def without_paths(values: list[Any], kind: str, refuse: Refuse) -> list[Any]:
    """Text where numbers belong would be read as the path of an array, on this machine, and so would a number for many."""
    found = []
    for place, value in enumerate(values, start=1):
        said = ""
        if isinstance(value, str):
            said = "text given; expected a number or a list of numbers"
        elif kind != "vector" and not isinstance(value, list | None):
            said = "no list given; expected a list of lists of numbers"
        if said:
            refuse(place, said)
        found.append(None if said else value)
    return found


def without_novels(values: list[Any], refuse: Refuse) -> list[Any]:
    """Texts, alone or in a list, of no more than `LONGEST_TEXT` characters."""
    found = []
    for place, value in enumerate(values, start=1):
        length = max((len(text) for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)), default=0)
        if length > LONGEST_TEXT:
            refuse(place, f"a text of {length:,} characters; at most {LONGEST_TEXT:,} are allowed in one cell")
        found.append(None if length > LONGEST_TEXT else value)
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


def store_media(values: list[Any], column: str, files: Mapping[str, bytes], folder: Path, refuse: Refuse) -> list[str | None]:
    """Contents as files under names of our own, so that media are read as they are from a user's table."""
    names: list[str | None] = []
    for place, value in enumerate(values, start=1):
        names.append(None)
        if value is None:
            continue
        try:
            content = content_of(value, files)
        except ValueError as error:
            refuse(place, str(error))
            continue
        names[-1] = f"{column.encode().hex()[:64]}-{place}"
        (folder / names[-1]).write_bytes(content)
    return names


def content_of(value: Any, files: Mapping[str, bytes]) -> bytes:
    """A medium's bytes: in base64, or the file of a form that {"part": NAME} names."""
    if isinstance(value, dict) and value.keys() == {"part"} and isinstance(value["part"], str):
        if value["part"] not in files:
            raise ValueError(f"no file of the form is called {value['part']!r:.60}")
        return files[value["part"]]
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError:
        raise ValueError("expected a file's bytes in base64") from None
