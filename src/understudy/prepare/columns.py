"""Column: one column of a user's table as NumPy values. Faults name the column and the row, counted from 1 as the user does."""

import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING = ("", "na", "n/a", "nan", "null", "none")
"""What a cell of words may say, in any case, where there is no value: in numbers, categories, classes, groups and texts alike."""
TRUTH = ("true", "false")
"""Words that are 1 and 0 where numbers are read, as booleans of other file types are."""
LARGEST = float(np.finfo(np.float32).max)
WHOLE = re.compile(r"-?(0|[1-9]\d*)?\.\d+|-0")
"""A category that is a decimal number as text: 1.0 of one file is 1 of another, while 007 stays a code. -0 is 0."""
REMEDIES = (
    (re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?"), "has commas between thousands; write it without them"),
    (re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+"), "has points between thousands and a decimal comma; write 1234.5"),
    (re.compile(r"[+-]?\d{1,3}([ '’\u00a0\u202f]\d{3})+([.,]\d+)?"), "has gaps between thousands; write it without them"),
    (re.compile(r"[+-]?\d*,\d+"), "has a decimal comma; write a point"),
    (re.compile(r"[+-]?[\d.,]+ ?%"), "is in percent; write the number alone"),
    (re.compile(r"[$€£¥] ?[+-]?[\d.,]+|[+-]?[\d.,]+ ?[$€£¥]"), "names a currency; write the number alone"),
    (re.compile(r"\d{4}-\d\d-\d\d.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}.*"), "is a date; give its parts as numbers"),
    (
        re.compile(r"[\[(].*[\])]", re.S),
        "is a list; give a column to each of its numbers, or save the table as JSON lines or Parquet",
    ),
    (re.compile(r"([+-]?[\d.]+[ ,;]+){2,}[+-]?[\d.]+"), "holds several numbers; give each a column of its own"),
)
"""How people write numbers that are not read as such, since what they mean differs from place to place, and what to do."""
NEAR = r"^[\s\p{Z}\p{Cc}]*([-+$€£¥.,(\[]|\p{Nd}|(?i:inf|infinity|nan|true|false)[\s\p{Z}\p{Cc}]*$)"
"""How each word begins that is a number or written as one (Arrow's RE2): a column of names is then looked through in one pass."""


@dataclass(frozen=True, eq=False)
class Column:
    """first_row: what the user calls the first of these rows."""

    name: str
    values: pa.Array
    first_row: int

    @staticmethod
    def of(table: pa.Table, name: str, first_row: int, *, files: bool = False) -> "Column":
        """The column of that name, plain: without chunks and dictionaries, its words as text whatever the file calls them.

        files: whether bytes are those of files, and stay as they are.
        """
        column = table[name]
        kind, chunks = column.type, column.chunks
        if pa.types.is_dictionary(kind):
            kind, chunks = kind.value_type, [chunk.dictionary_decode() for chunk in chunks]
        values = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks) if chunks else pa.array([], kind)
        if files and not pa.types.is_string(kind):
            return Column(name, values, first_row)
        if any(check(kind) for check in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary)):
            values = text_of_bytes(values, name, first_row)
        if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
            values = values.cast(pa.string())
        if pa.types.is_string(values.type):
            try:
                values.validate(full=True)
            except pa.ArrowInvalid:
                # Other programs write Parquet text that is none.
                values = text_of_bytes(values.cast(pa.binary()), name, first_row)
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

    @property
    def is_empty(self) -> bool:
        """Whether no row says anything, whatever the type: a file, a slice or a request may hold nothing else."""
        return self.said.null_count == len(self.values)

    @cached_property
    def said(self) -> pa.Array:
        """The values, with null for words that say that there is none."""
        if not self.is_text:
            return self.values
        trimmed = pc.utf8_trim_whitespace(self.values)  # pyright: ignore
        short = pc.less_equal(pc.binary_length(trimmed), max(map(len, MISSING)))  # pyright: ignore
        if not pc.any(short).as_py():  # pyright: ignore
            return self.values
        none = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(MISSING))  # pyright: ignore
        return pc.if_else(none, pa.scalar(None, pa.string()), self.values) if pc.any(none).as_py() else self.values  # pyright: ignore

    def numbers(self) -> NDArray[np.float64]:
        """`[N]`, NaN where missing; numbers that are infinite, or would be in float32, are a fault."""
        numbers = self._parsed() if self.is_text else plain_numbers(self.values, self.name).astype(np.float64, copy=False)
        wrong = (numbers > LARGEST) | (numbers < -LARGEST)
        if wrong.any():
            raise self.fault(
                int(np.argmax(wrong)), f"infinite or beyond {LARGEST:.1e}; expected a finite number or an empty cell"
            )
        return numbers

    def _parsed(self) -> NDArray[np.float64]:
        try:
            # As it is, unless a word says that there is no number, or there are blanks about one.
            return self.values.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            said = pc.utf8_trim_whitespace(self.said)  # pyright: ignore
        try:
            return said.cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:
            return np.array([np.nan if text is None else self._number(row, text) for row, text in enumerate(said.to_pylist())])

    def _number(self, row: int, text: str) -> float:
        number = number_of(text)
        if number is None:
            raise self.fault(row, f"{text[:40]!r} {remedy(text) or 'is not a number'}")
        return number

    def texts(self) -> list[str | None]:
        """Strings; None where null, blank or a word that says so. Numbers and truth values are texts as they are written."""
        if pa.types.is_nested(self.values.type):
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected text")
        if not self.is_text:
            return self.categories().tolist()
        return self.said.to_pylist()

    def lists_of_text(self) -> list[list[str | None] | None]:
        """Each row's list of strings, None where null or empty; a string in it is None where null or blank."""
        if pa.types.is_null(self.values.type):
            return [None] * len(self.values)
        inside = self.values.type.value_type if self.is_list else None
        if inside is None or not (pa.types.is_string(inside) or pa.types.is_large_string(inside) or pa.types.is_null(inside)):
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected lists of text")
        return [[text if text and text.strip() else None for text in row] if row else None for row in self.values.to_pylist()]

    def categories(self, *, missing: bool = True) -> NDArray[np.object_]:
        """Strings or None; a value reads the same from every file type ("1", never "1.0").

        missing: whether words such as NA say that there is no value; of ids they are names as others are.
        """
        names, codes = self.coded if missing else self._coded(self.values)
        return names[codes]

    @cached_property
    def coded(self) -> "tuple[NDArray[np.object_], NDArray[np.int32]]":
        """The names that occur, None last, and the place of each row's among them; a name may stand there twice."""
        return self._coded(self.said)

    @property
    def different(self) -> set[str]:
        """The categories that occur."""
        return set(self.coded[0].tolist()) - {None}

    def _coded(self, values: pa.Array) -> "tuple[NDArray[np.object_], NDArray[np.int32]]":
        if pa.types.is_nested(self.values.type):
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected one number or word a row")
        encoded = values.dictionary_encode()
        names = np.full(len(encoded.dictionary) + 1, None, dtype=object)
        names[:-1] = names_of(encoded.dictionary).to_pylist()
        return names, pc.fill_null(encoded.indices, len(names) - 1).to_numpy(zero_copy_only=False)  # pyright: ignore

    def names(self) -> pa.Array:
        """The same of ids, nearly all of which differ, as Arrow holds them."""
        if pa.types.is_nested(self.values.type):
            raise ValueError(f"column {self.name!r} holds {self.values.type}; expected one number or word a row")
        return names_of(self.values)

    def strings(self) -> pa.Array:
        """`texts` as Arrow holds them."""
        return self.said if self.is_text else pa.array(self.texts(), pa.large_string())

    def vectors(self) -> tuple[NDArray[np.floating[Any]], NDArray[np.int64]]:
        """The numbers of all rows one after the other, and how many each row has: 0 where it is null or empty."""
        if self._is_even:
            size = self.values.type.list_size
            flat = self.values.values.slice(self.values.offset * size, len(self.values) * size)
        else:
            flat = self.values.flatten()
        return plain_numbers(flat, self.name), self._lengths()

    @property
    def _is_even(self) -> bool:
        """Whether every row is a list, and all are of one length: then no kernel has to be asked."""
        return pa.types.is_fixed_size_list(self.values.type) and not self.values.null_count

    def _lengths(self) -> NDArray[np.int64]:
        if self._is_even:
            return np.full(len(self.values), self.values.type.list_size)
        return pc.fill_null(pc.list_value_length(self.values), 0).to_numpy(zero_copy_only=False).astype(np.int64)  # pyright: ignore

    def sequences(self) -> list[NDArray[np.floating[Any]] | None]:
        """Each row's list of equally long steps as `[T D]`, None where null or empty."""
        lengths = self._lengths()
        steps = Column(self.name, self.values.flatten(), 1)
        if not steps.is_list:
            if lengths.any():
                kind = self.values.type
                raise ValueError(f"column {self.name!r} holds {kind}; expected a list of steps, each a list of numbers")
            return [None] * len(lengths)
        flat, widths = steps.vectors()
        if len(widths) and ((widths != widths[0]).any() or not widths[0]):
            step = int(np.argmax((widths != widths[0]) | (widths == 0)))
            row = int(np.repeat(np.arange(len(lengths)), lengths)[step])
            raise self.fault(row, f"a step of {widths[step]} numbers; expected {widths[0] or 'at least 1'}")
        found = flat.reshape(len(widths), int(widths[0]) if len(widths) else 0)
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        return [found[a:b] if b > a else None for a, b in pairwise(bounds)]


def text_of_bytes(values: pa.Array, name: str, first_row: int) -> pa.Array:
    """Bytes that are UTF-8 as text; ValueError for the first row that is none."""
    try:
        return values.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        for row, value in enumerate(values.to_pylist()):
            try:
                (value or b"").decode()
            except UnicodeDecodeError:
                raise ValueError(f"column {name!r}, row {first_row + row}: bytes that are not UTF-8 text") from None
        raise


def number_of(text: str) -> float | None:
    """The number that a cell of text says; None for any other word. 1_2 is a code, though Python reads 12."""
    text = text.strip()
    if text.lower() in TRUTH:
        return float(text.lower() == "true")
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None


def remedy(text: str) -> str:
    """What to do with a number that is written in a way that is not read; "" for any other word."""
    return next((what for pattern, what in REMEDIES if pattern.fullmatch(text.strip())), "")


def is_plain_number(kind: pa.DataType) -> bool:
    """Whether a column of that type holds numbers or truth values, or nothing at all."""
    known = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    return any(check(kind) for check in known)


def plain_numbers(values: pa.Array, name: str) -> NDArray[np.floating[Any]]:
    """Floats as they are, other numbers and booleans as float64, NaN for null; ValueError for a column of anything else."""
    kind = values.type
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return values.to_numpy(zero_copy_only=False)
    if not is_plain_number(kind):
        raise ValueError(f"column {name!r} holds {kind}; expected numbers")
    if pa.types.is_boolean(kind):
        values = values.cast(pa.int8())
    return values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)


PLAIN = r"^[!-~]([ -~]*[!-~])?$"
ODD = r"^(-?(0|[1-9][0-9]*)?\.[0-9]+|-0|(?i:true|false))$"
"""Words that `category` need not look at: ASCII without blanks at the ends, and not what is a number or a truth value."""


def names_of(values: pa.Array) -> pa.Array:
    """What `category` makes of each."""
    if pa.types.is_integer(values.type):
        return values.cast(pa.large_string())
    if pa.types.is_string(values.type):
        plain = pc.and_(pc.match_substring_regex(values, PLAIN), pc.invert(pc.match_substring_regex(values, ODD)))  # pyright: ignore
        if pc.all(pc.fill_null(plain, True)).as_py():  # pyright: ignore
            return values.cast(pa.large_string())
    return pa.array([category(value) for value in values.to_pylist()], pa.large_string())


def category(value: Any) -> str | None:
    """The name of a category; None for a blank, null or NaN cell."""
    if isinstance(value, str):
        value = value.strip()
        if WHOLE.fullmatch(value):
            value = float(value)
        elif value.lower() in TRUTH:
            value = value.capitalize()
    if isinstance(value, float):
        if np.isnan(value):
            return None
        value = int(value) if value.is_integer() else value
    return (None if value is None else str(value)) or None
