"""Missing: what a shipped student scores when some of its modalities are absent, on test rows that have all of them."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import numpy as np

from understudy.artifact.predict import Artifact
from understudy.corpus import Corpus, Split
from understudy.tasks import Retrieval, Task

FEW = 4
"""Modalities up to which every subset is scored; of more all, each alone, and all but each."""


def missing(artifact: Artifact, *, task: Task, corpus: Corpus, split: Split) -> dict[str, Any]:
    """`scores` of the task's metric by modalities, "a+b" in the contract's order; {} where there is nothing to compare.

    That is of a student with one modality, of retrieval, whose branches each embed one, and without a labelled test row that has
    all modalities.
    """
    names = list(artifact.modalities)
    rows = np.asarray(split.test)
    rows = rows[corpus.has_target[rows] & np.logical_and.reduce([corpus.present(name)[rows] for name in names])]
    if len(names) < 2 or isinstance(task, Retrieval) or not len(rows):
        return {}
    pieces = [rows[start : start + artifact.rows_at_once] for start in range(0, len(rows), artifact.rows_at_once)]
    subsets = list(subsets_of(names))
    found: dict[str, list[Any]] = {"+".join(subset): [] for subset in subsets}
    for some in pieces:
        cells = {name: corpus.cells(name, some) for name in names}
        for subset in subsets:
            values = artifact.predict_cells({name: cells[name] for name in subset}).values
            found["+".join(subset)].append(task.per_row(values, corpus.target[some]))
    scores = {subset: float(np.nanmean(np.concatenate(parts))) for subset, parts in found.items()}
    return {"metric": task.primary, "higher_is_better": task.higher_is_better, "rows": len(rows), "scores": scores}


def subsets_of(names: list[str]) -> Iterator[tuple[str, ...]]:
    """All first, none never."""
    sizes = range(len(names), 0, -1) if len(names) <= FEW else (len(names), len(names) - 1, 1)
    for size in sizes:
        yield from combinations(names, size)
