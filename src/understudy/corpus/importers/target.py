"""The target column of a user's table: which task it is, where nobody says, and every row's target."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from understudy.prepare.cells import Modality
from understudy.prepare.columns import NEAR, Column, category, is_plain_number, number_of, remedy
from understudy.tasks import Choice, Classification, Regression, Retrieval, Task

FEW = 10
"""Whole-number targets with at most this many different values are taken for classes where no task is stated."""

LOOKED_AT = 1_000
"""Rows that mostly say whether a column of words is one of numbers."""
MEANT = 0.9
"""A column of words is meant to be numbers where so large a share of its cells are, or are written as people write them."""


def task_of(stated: Task | str | None, column: Column, said: list[str]) -> Task:
    """The task with its classes, from the whole target column."""
    if stated is None:
        stated, why = inferred(column)
        said.append(f"task: {stated}, from column {column.name!r}{why}")
    # How many choices there are is known once they are read.
    stated = {"regression": Regression(), "choice": Choice(2)}.get(stated, stated) if isinstance(stated, str) else stated
    if isinstance(stated, Regression | Choice):
        if np.isnan(column.numbers()).all():
            raise ValueError(f"target column {column.name!r} holds no number")
        return stated
    kinds = {"classification": Classification(), "retrieval": Retrieval()}
    task = kinds.get(stated) if isinstance(stated, str) else stated
    if not isinstance(task, Classification | Retrieval):
        raise ValueError(f"unknown task {stated!r}; known: regression, {', '.join(kinds)}, choice")
    classes = task.classes or tuple(sorted(column.different, key=number_first))
    if len(classes) < 2:
        found = f"nothing but the class {classes[0]!r}" if classes else "nothing in any row"
        raise ValueError(f"target column {column.name!r} holds {found}; a classification needs rows of at least 2 classes")
    return replace(task, classes=classes)


def targets_in(column: Column, task: Task) -> NDArray[np.float64]:
    """The target of some rows: a number, or the place of a class; NaN where unlabelled."""
    if not isinstance(task, Classification | Retrieval):
        return column.numbers()
    names, codes = column.coded
    place: dict[str | None, float] = {category(name): number for number, name in enumerate(task.classes)}
    place.setdefault(None, math.nan)
    known = np.array([name in place for name in names.tolist()])
    if not known[codes].all():
        row = int(np.argmin(known[codes]))
        raise column.fault(row, f"class {names[codes[row]]!r} is none of {', '.join(task.classes)}")
    return np.array([place.get(name, math.nan) for name in names.tolist()])[codes]


def class_names(classes: NDArray[Any] | Sequence[Any]) -> tuple[str, ...]:
    """How a table calls these classes; ValueError for two of one name, or one that says that there is none."""
    values = np.asarray(classes).tolist()
    names = Column.of(pa.table({"class": pa.array(values)}), "class", 1).categories().tolist()
    if None in names or len(set(names)) < len(names):
        raise ValueError(f"the classes {values!r} are read as {names!r} in a table; give each its own name")
    return tuple(names)


def choice_of(described: Mapping[str, Modality]) -> Choice:
    """The task between as many choices as a row has."""
    offered = [each.width for each in described.values() if each.kind == "choices"]
    if not offered:
        raise ValueError(
            f"task choice needs a modality of kind choices, such as text=choices:a,b,c,d; got {', '.join(described)}"
        )
    return Choice(offered[0])


def number_first(name: str) -> tuple[float, str]:
    """Sorts "2" before "10", and numbers before words."""
    number = number_of(name)
    return (math.inf if number is None or math.isnan(number) else number), name


def inferred(column: Column) -> tuple[str, str]:
    """The task, and what a person may want to know of why; ValueError where one bad cell would decide it."""
    refuse_times(column, "if they are classes, say that the task is classification")
    if is_truth(column):
        return "classification", ""
    if bad := bad_number(column):
        raise column.fault(bad[0], f"{bad[1]}; if the target is classes, say that the task is classification")
    if not is_number(column):
        names, codes = column.coded
        known = int((codes < len(names) - 1).sum())
        different = len(column.different)
        if different > max(FEW, known / 2):
            what = f"{different} different words in {known} rows with a target"
            raise ValueError(
                f"target column {column.name!r} holds {what}; if they are classes, say that the task is classification"
            )
        return "classification", ""
    numbers = column.numbers()
    different = np.unique(numbers[~np.isnan(numbers)])
    if len(different) <= FEW and (different % 1 == 0).all():
        return "classification", f": {len(different)} whole numbers; for amounts say that the task is regression"
    return "regression", ""


def is_truth(column: Column) -> bool:
    """Whether a column says true or false in every row that says anything."""
    if not column.is_text:
        return pa.types.is_boolean(column.values.type)
    return column.different <= {"True", "False"} and not column.is_empty


def refuse_times(column: Column, way_out: str) -> None:
    """ValueError for a column of dates, times or durations."""
    if pa.types.is_temporal(column.values.type):
        what = f"column {column.name!r} holds dates or times ({column.values.type})"
        raise ValueError(f"{what}; give their parts as numbers; {way_out}")


def bad_number(column: Column, *, meant: float = 0.0) -> tuple[int, str] | None:
    """The first cell of a column of words that is no number where the column is meant to be numbers: its row, and what it is.

    meant: the least share of cells that are numbers, or are written as people write them. Words beside few different numbers are
    names, as of classes.
    """
    if not column.is_text or reads_as_numbers(column):
        return None
    words = column.said
    near = pc.fill_null(pc.match_substring_regex(words, NEAR), False)  # pyright: ignore
    times = Counter(words.filter(near).to_pylist())
    names = len(words) - words.null_count - times.total()
    read = {word: number_of(word) for word in times}
    odd = {word: remedy(word) for word, number in read.items() if number is None}
    numbers = {number for number in read.values() if number is not None}
    plain = sum(count for word, count in times.items() if odd.get(word, "a number"))
    some = names or odd
    if not some or plain < meant * (names + times.total()) or (len(numbers) <= FEW and not any(odd.values())):
        return None
    row, word = next((row, word) for row, word in enumerate(words.to_pylist()) if word is not None and read.get(word) is None)
    return row, f"{word!r:.40} {odd.get(word) or 'is not a number, as the others are'}"


def reads_as_numbers(column: Column) -> bool:
    """Whether Arrow reads each word that says anything as a number: one look, where most columns are of numbers."""
    words = column.said
    try:
        for some in (words.slice(0, LOOKED_AT), words):  # Arrow is slow to say no of a whole column
            pc.utf8_trim_whitespace(some).cast(pa.float64())  # pyright: ignore
    except pa.ArrowInvalid:
        return False
    return True


def is_number(column: Column) -> bool:
    """Whether every cell is a number, finite or not, or missing."""
    if column.is_text:
        if reads_as_numbers(column):
            return True
        different = column.said.unique().to_pylist()  # pyright: ignore
        return all(word is None or number_of(word) is not None for word in different)
    return not column.is_list and is_plain_number(column.values.type)
