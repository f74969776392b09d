"""Regrets: what people wish they had seen of a modality's columns before they trained. Linear in the cells; a sentence each."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.prepare.cells import ENDINGS

BLOCK = 4096
"""Rows read at once."""
MOSTLY = 0.5
"""A modality that is absent in a larger share of the rows is worth a warning, and so is a column inside one that is there."""
NEARLY = 0.95
"""So is a table's column with one value in a larger share of the rows that have any,"""
MANY = 0.5
"""and one with more categories than this share of those rows: most of them are seen once."""
ENOUGH = 20
"""Fewer rows with a value say neither."""
WORDS = 3
"""A column of text is free text, no category, where its cells have this many words on average."""
LABELS = {"target", "targets", "label", "labels", "outcome", "truth", "groundtruth"}
"""Words in the names of columns that hold what is to be predicted."""
SHOWN = 3
"""Columns that a sentence names."""
COLUMNED = ("vector", "table")
"""Kinds that have columns."""


def names_of(corpus: Corpus, modality: str) -> list[str]:
    """The columns of a vector or a table, by the names or numbers that a person knows them by; none of other kinds."""
    found = corpus.modalities[modality]
    if found.kind == "vector":
        return list(found.source) if len(found.source) == found.width else [str(place) for place in range(found.width)]
    return list(found.columns)


def blocks(corpus: Corpus, modality: str) -> Iterator[Any]:
    """The values of the rows that have the modality."""
    rows = np.flatnonzero(corpus.present(modality))
    return (corpus.cells(modality, rows[start : start + BLOCK]).values for start in range(0, len(rows), BLOCK))


def counted(corpus: Corpus, modality: str) -> dict[str, Counter[Any]]:
    """How often each category of a table's columns stands there; of numbers, which may all differ, their middle, and None for
    every other: a number that most rows have is the middle of any many of them.
    """
    rows = np.flatnonzero(corpus.present(modality))
    some = corpus.cells(modality, rows[np.linspace(0, len(rows) - 1, min(BLOCK, len(rows))).astype(int)]).values
    found: dict[str, Counter[Any]] = {name: Counter() for name in some}
    middle = {name: middle_of(values) for name, values in some.items() if values.dtype != object}
    for block in blocks(corpus, modality):
        for column, values in block.items():
            if values.dtype == object:
                found[column].update(value for value in values.tolist() if value is not None)
            else:
                same, known = int((values == middle[column]).sum()), int((~np.isnan(values)).sum())
                found[column].update({middle[column]: same, None: known - same})
    return {column: +times for column, times in found.items()}


def middle_of(values: NDArray[np.floating[Any]]) -> float:
    """The middle one of the numbers that are there; NaN where none is."""
    known = np.sort(values[~np.isnan(values)])
    return float(known[len(known) // 2]) if len(known) else float("nan")


def columns_told(corpus: Corpus, modality: str) -> tuple[dict[str, Any], list[str]]:
    """Of a vector or a table: columns that never change and the share of absent cells where the modality is there; warnings."""
    names, rows = names_of(corpus, modality), int(corpus.present(modality).sum())
    said = [f"column {name!r} {what}" for name in names if (what := second_target(name, corpus.schema.about.get("target", "")))]
    if corpus.modalities[modality].kind == "table":
        times = counted(corpus, modality)
        known, differ = [each.total() for each in times.values()], [len(each) for each in times.values()]
        said += [f"column {name!r} {what}" for name, each in times.items() for what in of_values(each)]
    else:
        known, differ = [0] * len(names), [0] * len(names)
        low, high, there = np.full(len(names), np.inf), np.full(len(names), -np.inf), np.zeros(len(names), int)
        for block in blocks(corpus, modality):
            low, high = np.fmin(low, np.fmin.reduce(block)), np.fmax(high, np.fmax.reduce(block))
            there += (~np.isnan(block)).sum(axis=0)
        known, differ = there.tolist(), (1 + (low < high)).tolist()
    constant = [name for name, values in zip(names, differ, strict=True) if values < 2]
    few = {name: 1 - each / rows for name, each in zip(names, known, strict=True) if 0 < each < (1 - MOSTLY) * rows}
    if constant:
        said.append(f"{len(constant)} columns hold one value or none: {listed(constant, 5)}")
    if few:
        absent = f"{min(few.values()):.0%} {'or more ' * (len(few) > 1)}of the rows that have it"
        said.append(f"{which(list(few))} is absent in {absent}; give what is there together a modality of its own")
    facts = {"constant": constant, "absent_cells": 1 - sum(known) / max(1, rows * len(names))}
    return facts, [f"modality {modality!r}: {each}" for each in said]


def second_target(name: str, target: str) -> str:
    """What is wrong with the name of a column that may be another target."""
    words, own = (re.findall(r"[a-z]+", each.casefold()) for each in (name, target))
    if LABELS & set(words) or (own and words[: len(own)] == own):
        return "is called as a target is; leave it out unless it is known in use, too"
    return ""


def of_values(times: Counter[Any]) -> Iterator[str]:
    """What people regret of a table's column, by how often each of its values stands there."""
    rows = times.total()
    words = [value for value in times if isinstance(value, str)]
    yield from (f"has the categories {pair}, which differ in case alone; are they one?" for pair in twins(words))
    if rows < ENOUGH or len(times) < 2:
        return
    value, most = times.most_common(1)[0]
    if most > NEARLY * rows and value is not None:
        yield f"is {value!r:.40} in {most / rows:.0%} of its rows; little can be learnt of it: leave it out if that is no news"
    named = {kind for word in words for kind, known in ENDINGS.items() if PurePath(word).suffix.lower() in known}
    if words and len(named) == 1 and all(PurePath(word).suffix for word in words):
        yield f"names files; read them as a modality of kind {named.pop()}, not as categories"
    elif len(words) > MANY * rows and sum(len(word.split()) for word in words) >= WORDS * len(words):
        yield "holds free text; read it as a modality of kind text, not as categories"
    elif len(words) > MANY * rows:
        yield f"has {len(words)} categories in {rows} rows; leave it out, or give it as the id if it names the rows"


def twins(names: Iterable[str]) -> list[str]:
    """Names that are spelled alike but for capitals and spaces, as `'FINE' and 'fine'`."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(" ".join(name.casefold().split()), []).append(name)
    return [" and ".join(map(repr, several)) for several in alike.values() if len(several) > 1]


def which(names: list[str]) -> str:
    """One column or several as the subject of a sentence."""
    shown = listed([repr(name) for name in names])
    return f"column {shown}" if len(names) == 1 else f"each of {len(names)} columns ({shown})"


def listed(names: list[str], most: int = SHOWN) -> str:
    """The first of them, in words."""
    return ", ".join(names[:most]) + (" ..." if len(names) > most else "")
