"""Which columns of a table are which modality, by looking at them; each guess comes with its reason, for a person to check."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from understudy.corpus.importers.target import MEANT, bad_number
from understudy.corpus.regrets import WORDS
from understudy.prepare.cells import ENDINGS, Kind, Modality
from understudy.prepare.columns import Column
from understudy.prepare.dates import varying
from understudy.prepare.medium import kind_in

RATE = 16_000
"""Samples a second of sound whose rate nobody states."""
FAMILY = 3
"""So many columns of numbers whose names differ in what follows their prefix are one vector."""
SAMPLE = 1_000
"""Rows that are looked at where the type does not say what a column holds."""
IDS = ("id", "uid", "uuid", "name", "key", "index")
"""Names of columns that name rows."""
DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$")


@dataclass
class Guess:
    """`modalities` by name, the column `id` if there is one, and `reasons`, a line each; `left_out`: column -> why."""

    modalities: dict[str, Modality] = field(default_factory=dict)
    id: str | None = None
    reasons: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """What was guessed, for a person."""
        return [*self.reasons, *(f"{column}: left out, {why}" for column, why in self.left_out.items())]


def guess(table: pa.Table, *, target: str, taken: Sequence[str] = ()) -> Guess:
    """Modalities from columns that are neither `target` nor `taken`; ValueError where nothing is left to learn from.

    Lists of numbers are a vector each, lists of such lists a sequence; columns that name pictures, sound or video files are what
    they name; numbers whose names share a prefix are a vector together; text of several words is text; all other numbers and
    categories are one table, dates by their parts. Left out: ids, constants, and columns that say the target again.
    """
    found = Guess()
    numbers: list[str] = []
    categories: list[str] = []
    dates: dict[str, list[str]] = {}
    says = Column.of(table, target, 1).categories() if not Column.of(table, target, 1).is_list else None
    for name in table.column_names:
        if name == target or name in taken:
            continue
        if kind := kind_in(table[name]):
            found.modalities[name] = Modality(kind, rate=RATE if kind == "audio" else 0, source=(name,))
            found.reasons.append(f"{name}: {kind}, since its cells hold the bytes of such files, or name them")
            continue
        column = Column.of(table, name, 1)
        kind, reason = looked_at(column, says)
        if kind == "id" and found.id is None and (name.lower() in IDS or name.lower().endswith("_id")):
            found.id = name
            found.left_out[name] = f"{reason}; it is the row's id"
        elif kind == "id":
            found.left_out[name] = f"{reason}; give it as id if it names the rows"
        elif kind == "":
            found.left_out[name] = reason
        elif kind == "date":
            dates[name] = varying(column)
            found.reasons.append(f"{name}: date, as {', '.join(dates[name])}")
        elif kind in ("number", "category"):
            (numbers if kind == "number" else categories).append(name)
        else:
            found.modalities[name] = Modality(kind, rate=RATE if kind == "audio" else 0, source=(name,))
            found.reasons.append(f"{name}: {kind}, since {reason}")
    gather(found, numbers, categories, dates)
    if not found.modalities:
        left = "; ".join(f"{column}: {why}" for column, why in found.left_out.items()) or "there is no other column"
        raise ValueError(f"no column beside the target {target!r} can be a modality ({left}); say which are with modalities")
    return found


def gather(found: Guess, numbers: list[str], categories: list[str], dates: Mapping[str, list[str]]) -> None:
    """Numbers of one family as a vector each; what is left as one table. dates: the parts of each that are read."""
    families: dict[str, list[str]] = {}
    for name in numbers:
        families.setdefault(prefix_of(name), []).append(name)
    single = []
    for prefix, names in families.items():
        if prefix and len(names) >= FAMILY and prefix not in found.modalities:
            found.modalities[prefix] = Modality("vector", source=tuple(names))
            found.reasons.append(f"{prefix}: vector of {len(names)} columns, since their names begin with {prefix!r}")
        else:
            single += names
    if single or categories or dates:
        columns: dict[str, Literal["number", "category"]] = {
            **dict.fromkeys(single, "number"),
            **dict.fromkeys(categories, "category"),
            **{f"{name}.{part}": "number" for name, parts in dates.items() for part in parts},
        }
        name = next(each for each in ("table", "columns", "fields") if each not in found.modalities)
        found.modalities[name] = Modality("table", columns=columns, source=(*single, *categories, *dates))
        said = [f"{len(single)} numbers"] * bool(single) + [f"{len(categories)} categories"] * bool(categories)
        said += [f"{len(dates)} dates"] * bool(dates)
        found.reasons.append(f"{name}: table of {' and '.join(said)}, the columns that belong to nothing else")


def prefix_of(name: str) -> str:
    """What columns of one family share: `acc_x` -> acc, `pixel12` -> pixel, `a.b.c` -> a; "" of a name without parts."""
    stem = re.match(r"(.+?)(?:[_.:\- ].*|\d+)$", name)
    return stem[1] if stem else ""


Look = Kind | Literal["number", "category", "date", "id", ""]


def looked_at(column: Column, target: "np.ndarray | None") -> tuple[Look, str]:
    """A kind, "number", "category", "date", "id" or "" (left out), and why."""
    kind = column.values.type
    if column.values.null_count == len(column.values):
        return "", "it is empty"
    if column.is_list:
        inner = kind.value_type
        nested = pa.types.is_list(inner) or pa.types.is_large_list(inner) or pa.types.is_fixed_size_list(inner)
        deep = inner.value_type if nested else inner
        if not (pa.types.is_integer(deep) or pa.types.is_floating(deep)):
            return "", f"it holds {kind}; name its kind"
        return ("sequence", "its cells are lists of lists of numbers") if nested else ("vector", "its cells are lists of numbers")
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return of_dates(column)
    if pa.types.is_temporal(kind):
        return "", f"it holds {kind}; give it as a number if it matters"
    if column.is_text:
        return of_words(column, target)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_decimal(kind)):
        return "", f"it holds {kind}"
    return of_numbers(column, target)


def of_numbers(column: Column, target: "np.ndarray | None") -> tuple[Look, str]:
    """Of a column of numbers."""
    values = column.numbers()
    if same(values[:SAMPLE]) and same(values):
        return "", "it says the same in every row"
    steps = np.diff(values[:SAMPLE])
    if (steps == steps[0]).all() and (values % 1 == 0).all() and (np.diff(values) == steps[0]).all():
        return "id", "it counts the rows"
    if target is not None and says_again(column, target):
        return "", "it says the target again"
    return "number", ""


def same(values: np.ndarray) -> bool:
    """Whether all numbers that are there are equal."""
    known = values[~np.isnan(values)]
    return not len(known) or bool((known == known[0]).all())


def of_dates(column: Column) -> tuple[Look, str]:
    """Of a column of dates, or of texts whose first ones are."""
    try:
        return ("date", "") if varying(column) else ("", "it says the same in every row")
    except ValueError as error:
        return "", str(error)


def of_words(column: Column, target: "np.ndarray | None") -> tuple[Look, str]:
    """Of a column of text."""
    rows = [text for text in column.values.slice(0, SAMPLE).to_pylist() if text and text.strip()]
    if not rows:
        return "", "it is empty"
    endings = {PurePath(text.strip()).suffix.lower() for text in rows}
    named: Kind | None = next((kind for kind, known in ENDINGS.items() if endings <= set(known)), None)
    if named:
        return named, f"its cells end in {', '.join(sorted(endings))}"
    if all(is_number(text) for text in rows):
        return of_numbers(column, target)
    if all(DATE.match(text.strip()) for text in rows):
        return of_dates(column)
    if bad := bad_number(column, meant=MEANT):
        return "", f"its row {bad[0] + 1} says {bad[1]}; mend it, or name the column's kind"
    if len(set(rows)) < 2 and pc.count_distinct(column.values).as_py() < 2:  # pyright: ignore
        return "", "it says the same in every row"
    if target is not None and says_again(column, target):
        return "", "it says the target again"
    words = sum(len(text.split()) for text in rows) / len(rows)
    if words >= WORDS:
        return "text", f"its cells have {words:.0f} words on average"
    different = pc.count_distinct(column.values).as_py()  # pyright: ignore
    if different == len(column.values) - column.values.null_count and different > FAMILY:
        return "id", "every row has its own"
    return "category", ""


def is_number(text: str) -> bool:
    """Whether a cell of a text file is a number."""
    try:
        float(text)
    except ValueError:
        return text.strip().lower() in ("na", "n/a", "nan", "null", "none")
    return "_" not in text


def says_again(column: Column, target: "np.ndarray") -> bool:
    """Whether a column says nothing but the target; the first rows of most deny it."""
    first = Column(column.name, column.values.slice(0, SAMPLE), column.first_row)
    return twin(first.categories(), target[:SAMPLE]) and twin(column.categories(), target)


def twin(column: "np.ndarray", target: "np.ndarray") -> bool:
    """Whether a column and the target tell the same rows apart, where both are known, and the target repeats itself."""
    both = [(a, b) for a, b in zip(column, target, strict=True) if a is not None and b is not None]
    pairs = set(both)
    return 1 < len(pairs) < len(both) and len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})
