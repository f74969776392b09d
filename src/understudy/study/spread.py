"""Spread: what a teacher says in fewer words than a number a class: its likeliest few, or several answers to a row."""

import re
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus import Corpus
from understudy.prepare.columns import Column
from understudy.tasks import Classification

TOP = re.compile(r"(class|index|probability|logprob)_([1-9]\d*)")
SAMPLE = re.compile(r"answer(_[1-9]\d*)?")
OVER = 1.001
"""What the named probabilities of a row may add up to, rounded as they are."""


def spread(table: pa.Table, corpus: Corpus, where: str) -> pa.Table:
    """The table with a column `probability_CLASS` a class, or `prediction`; as it is where it says that already.

    `class_1 probability_1 class_2 ...`, the likeliest few by name (`index_1`: by place among the corpus's classes; `logprob_1`:
    the natural logarithm): what is left is spread evenly over the classes that are not named. `answer`, with an id in several
    rows, or `answer_1 answer_2 ...`: samples of one teacher, whose shares are counted as if one more sample were spread evenly;
    of numbers their mean. ValueError, one sentence, for classes and places that there are not.
    """
    names = [name for name in table.column_names if name != "id"]
    if "id" not in table.column_names or not names:
        return table
    if all(SAMPLE.fullmatch(name) for name in names):
        return of_samples(table, names, corpus, where)
    tops = [found for name in names if (found := TOP.fullmatch(name))]
    if isinstance(corpus.task, Classification) and len(tops) == len(names) and not named_alone(names, corpus.task.classes):
        return of_top(table, sorted({int(found[2]) for found in tops}), corpus.task.classes, where)
    return table


def named_alone(names: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether these columns are the classes' own: one may be called 1."""
    return set(names) in ({f"probability_{each}" for each in classes}, set(classes))


def of_top(table: pa.Table, places: list[int], classes: Sequence[str], where: str) -> pa.Table:
    """The likeliest few of each row as probabilities of all."""
    values, total = np.full((len(table), len(classes)), np.nan), np.zeros(len(table))
    for place in places:
        chosen = places_of(table, place, classes, where)
        share = shares_of(table, place, where)
        here = np.flatnonzero(chosen >= 0)
        if np.isnan(share[here]).any() or (share[here] < 0).any():
            row = here[np.isnan(share[here]) | (share[here] < 0)][0]
            raise ValueError(f"{where}: row {row + 1} names a class in place {place} without a probability from 0 to 1")
        if (~np.isnan(values[here, chosen[here]])).any():
            row = here[~np.isnan(values[here, chosen[here]])][0]
            raise ValueError(f"{where}: row {row + 1} names {classes[int(chosen[row])]!r} twice; each class has one probability")
        values[here, chosen[here]] = share[here]
        total[here] += share[here]
    if (total > OVER).any():
        row = int((total > OVER).argmax())
        raise ValueError(f"{where}: the probabilities of row {row + 1} add up to {total[row]:.4g}, which is more than 1")
    known = ~np.isnan(values).all(axis=1)
    unnamed = np.isnan(values).sum(axis=1, keepdims=True)
    rest = np.clip(1 - total, 0, None)[:, None] / np.maximum(unnamed, 1)
    values = np.where(np.isnan(values), rest, values)
    values /= values.sum(axis=1, keepdims=True)
    values[~known] = np.nan
    return columns_of(table.column("id"), values, classes)


def places_of(table: pa.Table, place: int, classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """The class in this place of each row, -1 where there is none."""
    if f"index_{place}" in table.column_names:
        said = Column.of(table, f"index_{place}", 1).numbers()
        wrong = ~np.isnan(said) & ~np.isin(said, np.arange(len(classes)))
        if wrong.any():
            raise ValueError(f"{where}: index {said[wrong][0]:g} is no place of {len(classes)} classes; they count from 0")
        return np.nan_to_num(said, nan=-1).astype(np.int64)
    if f"class_{place}" not in table.column_names:
        raise ValueError(f"{where} has a probability in place {place} and no class_{place} or index_{place}")
    return coded(Column.of(table, f"class_{place}", 1).categories(), classes, where)


def shares_of(table: pa.Table, place: int, where: str) -> NDArray[np.float64]:
    """The probability in this place of each row."""
    for name, turn in ((f"probability_{place}", np.asarray), (f"logprob_{place}", np.exp)):
        if name in table.column_names:
            return turn(Column.of(table, name, 1).numbers())
    raise ValueError(f"{where} names a class in place {place} and no probability_{place} or logprob_{place}")


def coded(said: NDArray[np.object_], classes: Sequence[str], where: str) -> NDArray[np.int64]:
    """Class names as places, None as -1; ValueError for another word."""
    known = {name: place for place, name in enumerate(classes)} | {None: -1}
    if unknown := sorted({each for each in said.tolist() if each not in known}):
        raise ValueError(
            f"{where} answers {unknown[0]!r}, and the classes are {', '.join(classes)}: map its words to them by a table of yours"
        )
    return np.array([known[each] for each in said.tolist()], dtype=np.int64)


def of_samples(table: pa.Table, names: list[str], corpus: Corpus, where: str) -> pa.Table:
    """Several answers to a row, in columns or in rows of the same id, as shares or as their mean."""
    ids = Column.of(table, "id", 1).categories(missing=False)
    own, row = np.unique(ids.astype(str), return_inverse=True)
    if isinstance(corpus.task, Classification):
        classes = corpus.task.classes
        counts = np.zeros((len(own), len(classes)))
        for name in names:
            chosen = coded(Column.of(table, name, 1).categories(), classes, where)
            np.add.at(counts, (row[chosen >= 0], chosen[chosen >= 0]), 1)
        many = counts.sum(axis=1, keepdims=True)
        values = np.where(many > 0, (counts + 1 / len(classes)) / (many + 1), np.nan)
        return columns_of(pa.array(own.tolist()), values, classes)
    total, many = np.zeros(len(own)), np.zeros(len(own))
    for name in names:
        said = Column.of(table, name, 1).numbers()
        np.add.at(total, row[~np.isnan(said)], said[~np.isnan(said)])
        np.add.at(many, row[~np.isnan(said)], 1)
    mean = np.divide(total, many, out=np.full(len(own), np.nan), where=many > 0)
    return pa.table({"id": own.tolist(), "prediction": pa.array(mean, from_pandas=True)})


def columns_of(ids: pa.Array | pa.ChunkedArray, values: NDArray[np.float64], classes: Sequence[str]) -> pa.Table:
    """A column a class; a row without an answer is empty."""
    said = {f"probability_{name}": pa.array(column, from_pandas=True) for name, column in zip(classes, values.T, strict=True)}
    return pa.table({"id": ids} | said)
