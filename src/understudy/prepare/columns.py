"""Column: one column of a user's table as NumPy values. Faults name the column and the row, counted from 1 as the user does."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""What a text file may hold, in any case, where a number is missing."""
LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class Column:
    """first_row: what the user calls the first of these rows."""

    name: str
    values: pa.Array
    first_row: int

    @staticmethod
    def of(table: pa.Table, name: str, first_row: int) -> "Column":
        """The column of that name, plain: without chunks and dictionaries."""
        chunks = table.column(name)
        values = pa.concat_arrays(chunks.chunks) if chunks.num_chunks else pa.array([], chunks.type)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if pa.types.is_large_string(values.type) or pa.types.is_string_view(values.type):
            values = values.cast(pa.string())
        return Column(name, values, first_row)

    def fault(self, row: int, what: object) -> ValueError:
        """An error that says where."""
        return ValueError(f"{self.at(row)}: {what}")

    def at(self, row: int) -> str:
        """Column and row, as the user counts them."""
        return f"column {self.name!r}, row {self.first_row + int(row)}"

    @property
    def is_text(self) -> bool:
        return pa.types.is_string(self.values.type)

    @property
    def is_list(self) -> bool:
        kind = self.values.type
        return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)

    def numbers(self) -> NDArray[np.float64]:
        """`[N]`, NaN where missing; numbers that are infinite, or would be in float32, are a fault."""
        numbers = self._parsed() if self.is_text else plain_numbers(self.values, self.name)
        wrong = np.abs(numbers) > LARGEST
        if wrong.any():
            raise self.fault(
                int(np.argmax(wrong)), f"infinite or beyond {LARGEST:.1e}; expected a finite number or an empty cell"
            )
        return numbers

    def _parsed(self) -> NDArray[np.float64]:
        try:
            return self.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            return self._parsed_cell_by_cell()

    def _parsed_cell_by_cell(self) -> NDArray[np.float64]:
        trimmed = pc.utf8_trim_whitespace(self.values)  # pyright: ignore
        missing = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING))  # pyright: ignore
        wanted = pc.if_else(missing, pa.scalar(None, pa.string()), trimmed)  # pyright: ignore
        return np.array([np.nan if text is None else self._number(row, text) for row, text in enumerate(wanted.to_pylist())])

    def _number(self, row: int, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self.fault(row, f"{text[:40]!r} is not a number") from None

    def texts(self) -> list[str | None]:
        """Strings; None where null or blank, since blank text says nothing."""
        if pa.types.is_null(self.values.type):
            return [None] * len(self.values)
        if not self.is_text:
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected text")
        return [text if text and not text.isspace() else None for text in self.values.to_pylist()]

    def lists_of_text(self) -> list[list[str | None] | None]:
        """Each row's list of strings, None where null or empty; a string in it is None where null or blank."""
        if pa.types.is_null(self.values.type):
            return [None] * len(self.values)
        inside = self.values.type.value_type if self.is_list else None
        if inside is None or not (pa.types.is_string(inside) or pa.types.is_large_string(inside) or pa.types.is_null(inside)):
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected lists of text")
        return [[text if text and text.strip() else None for text in row] if row else None for row in self.values.to_pylist()]

    def categories(self) -> NDArray[np.object_]:
        """Strings or None; whole numbers read the same from every file type ("1", never "1.0")."""
        if self.is_list:
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected categories")
        named = np.full(len(self.values), None, dtype=object)
        named[:] = [category(value) for value in self.values.to_pylist()]
        return named

    def vectors(self) -> tuple[list[NDArray[np.float64] | None], NDArray[np.int64]]:
        """Each row's list of numbers, None where null or empty, and all lengths."""
        lengths = pc.fill_null(pc.list_value_length(self.values), 0).to_numpy(zero_copy_only=False).astype(np.int64)  # pyright: ignore
        flat = plain_numbers(self.values.flatten(), self.name)
        rows = np.split(flat, np.cumsum(lengths)[:-1]) if len(lengths) else []
        return [row if len(row) else None for row in rows], lengths

    def sequences(self) -> list[NDArray[np.float64] | None]:
        """Each row's list of equally long steps as `[T D]`, None where null or empty."""
        lengths = pc.fill_null(pc.list_value_length(self.values), 0).to_numpy(zero_copy_only=False).astype(np.int64)  # pyright: ignore
        steps = Column(self.name, self.values.flatten(), 1)
        if not steps.is_list:
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected a list of steps, each a list of numbers")
        rows_of_steps = np.repeat(np.arange(len(lengths)), lengths)
        vectors, widths = steps.vectors()
        if len(widths) and ((widths != widths[0]).any() or not widths[0]):
            step = int(np.argmax((widths != widths[0]) | (widths == 0)))
            raise self.fault(int(rows_of_steps[step]), f"a step of {widths[step]} numbers; expected {widths[0] or 'at least 1'}")
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        return [np.stack(vectors[a:b]) if b > a else None for a, b in pairwise(bounds)]  # pyright: ignore


def plain_numbers(values: pa.Array, name: str) -> NDArray[np.float64]:
    """Numbers or booleans as float64, NaN for null; ValueError for a column of anything else."""
    kind = values.type
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    if not any(check(kind) for check in known):
        raise ValueError(f"column {name!r} holds {kind}; expected numbers")
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


def category(value: Any) -> str | None:
    """The name of a category; None for a blank, null or NaN cell."""
    if isinstance(value, float):
        if np.isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    name = "" if value is None else str(value).strip()
    return name or None
