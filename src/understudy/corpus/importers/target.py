"""The target column of a user's table: which task it is, where nobody says, and every row's target."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.prepare.cells import Modality
from understudy.prepare.columns import Column, is_plain_number, number_of, remedy
from understudy.tasks import Choice, Classification, Regression, Retrieval, Task

FEW = 10
"""Whole-number targets with at most this many different values are taken for classes where no task is stated."""


def task_of(stated: Task | str | None, column: Column, said: list[str]) -> tuple[Task, Sequence[Any] | NDArray[Any]]:
    """The task with its classes, and the target of every row (None or NaN = unlabelled)."""
    if stated is None:
        stated, why = inferred(column)
        said.append(f"task: {stated}, from column {column.name!r}{why}")
    # How many choices there are is known once they are read.
    stated = {"regression": Regression(), "choice": Choice(2)}.get(stated, stated) if isinstance(stated, str) else stated
    if isinstance(stated, Regression | Choice):
        targets = column.numbers()
        if np.isnan(targets).all():
            raise ValueError(f"target column {column.name!r} holds no number")
        return stated, targets
    kinds = {"classification": Classification(), "retrieval": Retrieval()}
    task = kinds.get(stated) if isinstance(stated, str) else stated
    if not isinstance(task, Classification | Retrieval):
        raise ValueError(f"unknown task {stated!r}; known: regression, {', '.join(kinds)}, choice")
    names = column.categories()
    classes = task.classes
    classes = classes or tuple(sorted({name for name in names if name is not None}, key=number_first))
    place = {name: number for number, name in enumerate(classes)}
    for row, name in enumerate(names):
        if name is not None and name not in place:
            raise column.fault(row, f"class {name!r} is none of {', '.join(classes)}")
    return replace(task, classes=classes), [None if name is None else place[name] for name in names]


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
    if pa.types.is_boolean(column.values.type):
        return "classification", ""
    if column.is_text:
        refuse_nearly_numbers(column)
    if not is_number(column):
        known = [name for name in column.categories() if name is not None]
        different = len(set(known))
        if different > max(FEW, len(known) / 2):
            what = f"{different} different words in {len(known)} rows with a target"
            raise ValueError(
                f"target column {column.name!r} holds {what}; if they are classes, say that the task is classification"
            )
        return "classification", ""
    numbers = column.numbers()
    different = np.unique(numbers[~np.isnan(numbers)])
    if len(different) <= FEW and (different % 1 == 0).all():
        return "classification", f": {len(different)} whole numbers; for amounts say that the task is regression"
    return "regression", ""


def refuse_nearly_numbers(column: Column) -> None:
    """ValueError for a column of text that is meant to be numbers and has a cell that is none: classes are said by the user."""
    words = column.texts()
    read = {word: number_of(word) for word in set(words) if word is not None}
    numbers = {number for number in read.values() if number is not None}
    bad = next((row for row, word in enumerate(words) if word is not None and read[word] is None), None)
    if bad is None or (len(numbers) <= FEW and not any(remedy(word) for word in read)):
        return
    told = remedy(str(words[bad])) or "is not a number, as the others are"
    raise column.fault(bad, f"{words[bad]!r:.40} {told}; if the target is classes, say that the task is classification")


def is_number(column: Column) -> bool:
    """Whether every cell is a number, finite or not, or missing."""
    if column.is_text:
        return all(word is None or number_of(word) is not None for word in set(column.texts()))
    return not column.is_list and is_plain_number(column.values.type)
