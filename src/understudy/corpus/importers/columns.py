"""Which columns are which modality, target, id, group, weight and split: as it is said, read from a file or guessed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from understudy.corpus.importers.guess import guess
from understudy.corpus.importers.target import MEANT, bad_number, is_number, refuse_times
from understudy.prepare.cells import KINDS, Modality
from understudy.prepare.columns import Column
from understudy.prepare.dates import PARTS, varying
from understudy.process.whole import read_json
from understudy.tasks import Task, task_from_json

Spec = str | Modality | Sequence[str] | Mapping[str, Any]
"""`kind:column,column` (`audio@8000:column`), a Modality, columns alone, or `{"kind": ..., "columns": [...], "rate": ...}`."""


@dataclass(frozen=True)
class Wanted:
    """What a table's columns are to be; nothing where nobody said. guessed: what was guessed and why, "" where nothing was."""

    target: str | None = None
    task: Task | str | None = None
    modalities: Mapping[str, Spec] | None = None
    id: str | None = None
    group: str | None = None
    split: str | None = None
    weight: str | None = None
    guessed: str = ""

    @staticmethod
    def read(path: Path | str) -> "Wanted":
        """What a mapping file says; ValueError for one that says something else."""
        document = read_json(Path(path))
        allowed = {each.name for each in fields(Wanted)} - {"guessed"}
        if not isinstance(document.get("modalities", {}), dict):
            raise ValueError(f"{path}: modalities: expected an object, what each is by its name")
        if unknown := sorted(set(document) - allowed):
            said = "; the types of a table's columns stand in its modality" if "columns" in unknown else ""
            raise ValueError(f"{path}: no key {', '.join(unknown)}; choose from {', '.join(sorted(allowed))}{said}")
        if isinstance(document.get("task"), dict):
            document["task"] = task_from_json(document["task"])
        return Wanted(**document)

    def over(self, other: "Wanted") -> "Wanted":
        """This, and of `other` what this does not say."""
        return replace(other, **{each.name: v for each in fields(self) if (v := getattr(self, each.name))})

    def with_guesses(self, table: pa.Table) -> "Wanted":
        """The modalities, and the id, that nobody named."""
        if self.target not in table.column_names:
            raise ValueError(f"target column {self.target!r} is not in the table; it has {', '.join(table.column_names)}")
        found = guess(table, target=str(self.target), taken=[c for use, c in self.taken.items() if use != "target"])
        return replace(self, modalities=found.modalities, id=self.id or found.id, guessed="; ".join(found.lines()))

    @property
    def taken(self) -> dict[str, str]:
        """Use -> column, of those that are no modality's."""
        found = {"target": self.target, "id": self.id, "group": self.group, "split": self.split, "weight": self.weight}
        return {use: column for use, column in found.items() if column}

    def to_json(self, described: Mapping[str, Modality]) -> dict[str, Any]:
        """The mapping file that would say it. described: the modalities as they were read."""
        modalities = {
            name: {"kind": each.kind, "columns": stated(each) or list(each.source)} | ({"rate": each.rate} if each.rate else {})
            for name, each in described.items()
        }
        return self.taken | {"modalities": modalities}


def stated(modality: Modality) -> dict[str, str]:
    """The types of a table's columns, as a mapping file says them."""
    return {column: modality.columns.get(column, "date") for column in modality.source if modality.columns}


@dataclass(frozen=True, eq=False)
class Source:
    """The table, the columns that are no modality's, and what the user calls the first of its rows."""

    table: pa.Table
    taken: Mapping[str, str]
    first_row: int = 1
    release: Callable[[], None] = lambda: None
    """Lets go of the memory that looking at the table took."""

    def refuse_missing(self) -> None:
        """ValueError for a column that is named and not there."""
        for name in self.taken.values():
            self._refuse_missing(name)

    def _refuse_missing(self, name: str) -> None:
        if self.table.schema.get_field_index(name) < 0:  # `column_names` is made anew each time it is asked for
            what = ", ".join(use for use, column in self.taken.items() if column == name) or "modality"
            raise ValueError(f"{what} column {name!r} is not in the table; it has {', '.join(self.table.column_names)}")

    def column(self, name: str) -> Column:
        self._refuse_missing(name)
        return Column.of(self.table, name, self.first_row)

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


def modality_of(name: str, spec: Spec, source: Source, said: list[str]) -> Modality:
    """The modality that a specification describes, with the columns it is read from."""
    kind, patterns, types, rate = parse(name, spec)
    columns = source.select(patterns, name)
    if kind is None:
        kind = "vector" if all(is_number(source.column(column)) for column in columns) else "table"
        said.append(f"{name}: {kind}")
    if kind != "table":
        return Modality(kind, rate=rate, source=columns)
    found: dict[str, Any] = {}
    for column in columns:
        parts = [part for part in PARTS if column not in types and f"{column}.{part}" in types]
        # Looked up first: as patterns, thousands of names would be tried against one another.
        stated = types.get(column) or next((kind for pattern, kind in types.items() if fnmatchcase(column, pattern)), None)
        if stated == "date" and not (parts := varying(source.column(column))):
            raise ValueError(f"modality {name!r}: column {column!r} says the same date in every row; leave it out")
        if parts:
            found |= {f"{column}.{part}": "number" for part in parts}
            continue
        found[column] = stated or type_of(source.column(column))
        said += [] if stated else [f"{name}.{column}: {found[column]}"]
    return Modality("table", columns=found, source=columns)


SAY = "or say in a mapping file that the column is a category or a date"


def type_of(column: Column) -> Literal["number", "category"]:
    """Of a table's column that nobody stated; ValueError where one bad cell, or how numbers are written, would decide it."""
    refuse_times(column, SAY)
    if bad := bad_number(column, meant=MEANT):
        raise column.fault(bad[0], f"{bad[1]}; mend it, {SAY}")
    return "number" if is_number(column) else "category"


def parse(name: str, spec: Spec) -> tuple[Any, Sequence[str], dict[str, Any], int]:
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
