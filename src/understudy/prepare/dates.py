"""Dates: a column of dates or times of day as numbers: the year with its part that has passed, month, weekday, hour.

A table names them `COLUMN.PART`, while its `source` names the column itself: `predict` is given dates, too.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.prepare.columns import Column

Numbers = NDArray[np.float64]
DAYS = 366.0
"""So that no year is as long as the next one's beginning."""


def number(values: pa.Array) -> Numbers:
    """NaN for null."""
    return values.cast(pa.float64()).to_numpy(zero_copy_only=False)


def hour(times: pa.Array) -> Numbers:
    """With its minutes, 0 to 24."""
    return number(pc.hour(times)) + number(pc.minute(times)) / 60  # pyright: ignore


def year(times: pa.Array) -> Numbers:
    """With the part of it that has passed: 2026.5 is the beginning of July."""
    return number(pc.year(times)) + (number(pc.day_of_year(times)) - 1 + hour(times) / 24) / DAYS  # pyright: ignore


PARTS: dict[str, Callable[[pa.Array], Numbers]] = {
    "year": year,
    "month": lambda times: number(pc.month(times)),  # pyright: ignore
    "weekday": lambda times: number(pc.day_of_week(times, count_from_zero=False)),  # pyright: ignore
    "hour": hour,
}
"""Month and weekday count from 1, the week from Monday."""


def parts_of(column: Column) -> dict[str, Numbers]:
    """Every part of each row, NaN where nothing is said; ValueError names the row that holds no date."""
    times = times_of(column)
    return {part: make(times) for part, make in PARTS.items()}


def varying(column: Column) -> list[str]:
    """The parts that are not the same in every row."""
    found = {part: values[~np.isnan(values)] for part, values in parts_of(column).items()}
    return [part for part, values in found.items() if len(values) and (values != values[0]).any()]


def times_of(column: Column) -> pa.Array:
    """Arrow's timestamps, as the clocks of their own zone show them."""
    kind = column.values.type
    if pa.types.is_timestamp(kind):
        return column.values if kind.tz is None else pc.local_timestamp(column.values)  # pyright: ignore
    if pa.types.is_date(kind) or pa.types.is_null(kind):
        return column.values.cast(pa.timestamp("us"))
    if not column.is_text:
        raise ValueError(f"column {column.name!r} holds {kind}; expected dates, or texts such as 2026-05-31 or 2026-05-31T13:45")
    words = pc.utf8_trim_whitespace(column.said)  # pyright: ignore
    try:
        return timestamps(words)
    except pa.ArrowInvalid:
        wrong = next(row for row in range(len(words)) if not is_date(words.slice(row, 1)))
        raise column.fault(
            wrong, f"{words[wrong].as_py()!r:.40} is no date; write 2026-05-31, or 2026-05-31T13:45, all with a zone or none"
        ) from None


def timestamps(words: pa.Array) -> pa.Array:
    """Of texts as ISO 8601 writes them; of those with a zone, by UTC."""
    try:
        return words.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return words.cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))


def is_date(word: pa.Array) -> bool:
    """Whether one text is a date."""
    try:
        timestamps(word)
    except pa.ArrowInvalid:
        return False
    return True
