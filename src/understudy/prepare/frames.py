"""Data in memory as people hold it, as a pyarrow table, and answers back in the same kind."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.prepare.source import read_table
from understudy.prepare.tables import array_column, column_of, differ, table_of_rows

KNOWN = (
    "a path, a pandas or polars DataFrame, a pyarrow Table, a Hugging Face Dataset, a dict of columns or a list of rows (dicts)"
)


Data = object
"""What `framed` reads: one of KNOWN. No type says so, since the libraries that make frames are not imported."""


class Answer(NamedTuple):
    """One column of answers: values `[N]`, or lists of numbers `[N D]`; absent: the rows `[N]` that have none, if any."""

    values: NDArray[Any]
    absent: NDArray[np.bool_] | None

    def to_arrow(self) -> pa.Array:
        """Words, numbers or lists of them, null where absent."""
        if self.values.ndim > 1:
            mask = None if self.absent is None else pa.array(self.absent)
            return pa.FixedSizeListArray.from_arrays(pa.array(self.values.ravel()), self.values.shape[1], mask=mask)
        return pa.array(self.values, pa.string() if self.values.dtype == object else None, mask=self.absent)

    def to_list(self) -> list[Any]:
        """The same as Python has them."""
        values = self.values.tolist()
        if self.absent is None:
            return values
        return [None if gone else value for value, gone in zip(values, self.absent, strict=True)]


Answers = Mapping[str, Answer]
"""Columns by name, of as many rows each."""


def arrow_of(answers: Answers) -> pa.Table:
    """As a table."""
    return pa.table({name: answer.to_arrow() for name, answer in answers.items()})


def rows_of(answers: Answers) -> list[dict[str, Any]]:
    """As one dict a row."""
    columns = [answer.to_list() for answer in answers.values()]
    return [dict(zip(answers, row, strict=True)) for row in zip(*columns, strict=True)]


@dataclass(frozen=True, eq=False)
class Framed:
    """A table, what to call it in messages, and `back`, which turns answers to its rows into the kind that was given."""

    table: pa.Table
    name: str
    back: Callable[[Answers], Any]
    folder: Path = Path()
    """What paths of media in its cells are relative to."""


def framed(data: Data, *, delimiter: str = "") -> Framed:
    """The table of whatever is given; delimiter: as `read_table`'s. ValueError, or TypeError for an object of no known kind."""
    if isinstance(data, str | Path):
        return Framed(read_table(data, delimiter=delimiter), Path(data).name, arrow_of, Path(data).parent)
    if isinstance(data, pa.Table):
        return Framed(distinct(data, "the table"), "table", arrow_of)
    library, name = type(data).__module__.partition(".")[0], type(data).__name__
    if library in LIBRARIES and name in LIBRARIES[library][0]:
        return LIBRARIES[library][1](data)
    if isinstance(data, Mapping) and name not in HINTS:
        return Framed(of_columns(data), "dict of columns", lambda answers: {name: a.to_list() for name, a in answers.items()})
    if isinstance(data, Sequence) and not isinstance(data, bytes):
        return Framed(of_rows(data), "list of rows", rows_of)
    raise TypeError(f"a {name} of {library} given; expected {KNOWN}{HINTS.get(name, '')}")


HINTS = {
    "LazyFrame": "; call .collect() first",
    "Series": "; for one column give a frame with that column",
    "DatasetDict": "; give one of its parts, such as data['train'], or join them with a column that says train, valid or test",
    "IterableDataset": "; a stream has no rows to split: save it to a file, or give a Dataset",
    "ndarray": "; name the array's columns in a dict: {'x': array, 'y': labels}",
}
"""What to do with a type that is near."""


def of_pandas(data: Any) -> Framed:
    """Of a pandas DataFrame; answers carry its index, repeated labels and all."""
    if data.columns.nlevels > 1:
        flat = "frame.columns = ['_'.join(c) for c in frame.columns]"
        raise ValueError(f"the frame's columns have several levels; flatten them: {flat}")
    differ("the frame", [str(name) for name in data.columns])
    arrays = {}
    for name in data.columns:
        try:
            arrays[str(name)] = pa.array(data[name], from_pandas=True)
        except (pa.ArrowException, TypeError):
            # Asked again value by value, which finds the row that differs.
            arrays[str(name)] = column_of("the frame", str(name), data[name].tolist())

    def back(answers: Answers) -> Any:
        found = arrow_of(answers).to_pandas()
        found.index = data.index
        return found

    return Framed(pa.table(arrays), "frame", back)


def of_polars(data: Any) -> Framed:
    """Of a polars DataFrame."""
    polars = __import__("polars")
    return Framed(data.to_arrow(), "frame", lambda answers: polars.from_arrow(arrow_of(answers)))


def of_datasets(data: Any) -> Framed:
    """Of a Hugging Face Dataset: class labels by their names, pictures, sound and video as their bytes and paths."""
    datasets = __import__("datasets")
    table = data.with_format("arrow")[:] if len(data) else data.data.table
    for place, (name, feature) in enumerate(data.features.items()):
        if isinstance(feature, datasets.ClassLabel):
            names = pa.array([*feature.names])
            # A label of -1 is how such sets mark a row without one.
            codes = [None if code is None or code < 0 else code for code in table.column(name).to_pylist()]
            table = table.set_column(place, name, names.take(pa.array(codes, pa.int64())))
    return Framed(table, "dataset", lambda answers: datasets.Dataset(arrow_of(answers)))


def distinct(table: pa.Table, where: str) -> pa.Table:
    """The table, if no name stands there twice."""
    differ(where, table.column_names)
    return table


def of_columns(columns: Mapping[str, Any]) -> pa.Table:
    """Of a dict of columns: sequences, or arrays `[N]`, `[N D]` or `[N T D]`."""
    where = "the dict of columns"
    if not columns or not all(isinstance(name, str) for name in columns):
        raise ValueError(
            f"{where} has the keys {', '.join(map(repr, columns)) or '(none)'}; expected names of columns, at least one"
        )
    found = {name: column_of_values(where, name, values) for name, values in columns.items()}
    lengths = {name: len(values) for name, values in found.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"{where} has columns of different lengths: {', '.join(f'{n} {rows}' for n, rows in lengths.items())}")
    return pa.table(found)


def column_of_values(where: str, name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    """One column of a dict; ValueError that names it."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    if isinstance(values, np.ndarray) and values.ndim and values.dtype != object:
        return array_column(where, name, values)
    if isinstance(values, str | bytes) or not hasattr(values, "__len__") or not hasattr(values, "__iter__"):
        raise ValueError(f"{where}: column {name!r} is {values!r:.40}; expected one value a row")
    return column_of(where, name, list(values))


def of_rows(rows: Sequence[Any]) -> pa.Table:
    """Of a list of dicts, one a row; a key that a row lacks is empty there."""
    return table_of_rows("the list of rows", enumerate(rows, start=1), unit="row")


LIBRARIES: dict[str, tuple[tuple[str, ...], Callable[[Any], Framed]]] = {
    "pandas": (("DataFrame",), of_pandas),
    "polars": (("DataFrame",), of_polars),
    "datasets": (("Dataset",), of_datasets),
    "pyarrow": (("RecordBatch",), lambda batch: framed(pa.Table.from_batches([batch]))),
}
"""Library -> the names of its frames and their reader."""
