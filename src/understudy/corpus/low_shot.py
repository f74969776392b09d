"""Low shot: nested subsets of a split's train rows, drawn by group, each kind of row by its share."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.split import Positions, Split
from understudy.tasks import MultiLabel

Size = int | float
"""So many rows, or as a float a share of the train rows, up to 1.0."""
WORDS = 2
"""Of a question, how many of its first words say of what type it is."""


def low_shot(corpus: Corpus, split: Split, *, sizes: Sequence[Size], draw: int = 0, seed: int = 0) -> list[Split]:
    """A split for each size, in order: its train and labelled rows are a subset of the labelled train rows of `split`.

    Subsets of one draw are nested: a larger one holds every smaller one. Groups (all rows of a picture, say) stay whole, so that
    a subset may fall short of its size by less than a group; each class, quarter of a number's range, or type of question (the
    first two words of its text) keeps its share as well as groups allow. Validation and test rows are those of `split`; every
    row stands alone where that does not keep groups together. The splits are not saved yet; `Corpus.save_split` writes their
    lists of ids.
    """
    rows = split.labelled
    counts = [rows_of(size, len(rows)) for size in sizes]
    groups = corpus.groups if split.group else None
    order = stratified(rows, strata_of(corpus, rows), groups, np.random.default_rng([seed, draw, 3]))
    ends = np.cumsum([len(group) for group in order])
    found = []
    for size, count in zip(sizes, counts, strict=True):
        whole = int(np.searchsorted(ends, count, side="right"))
        if not whole:
            raise ValueError(f"size {size}: {count} rows, but the first group drawn has {ends[0]}; ask for more rows")
        kept = np.sort(np.concatenate(order[:whole]))
        found.append(replace(split, name=subset_name(split.name, size, draw), train=kept, labelled=kept, seed=seed, hash=""))
    return found


def rows_of(size: Size, count: int) -> int:
    """How many of `count` rows a size means; ValueError for none, or for more than there are."""
    wanted = round(size * count) if isinstance(size, float) else size
    if not 1 <= wanted <= count:
        raise ValueError(f"size {size}: expected a number of rows, 1 to {count}, or a share of them, above 0 and up to 1.0")
    return wanted


def subset_name(split: str, size: Size, draw: int) -> str:
    """`given-1%-draw-0`, `given-100-draw-2`."""
    return f"{split}-{size_name(size)}-draw-{draw}"


def size_name(size: Size) -> str:
    """`100`, `1%`; `full` for all rows."""
    if isinstance(size, int):
        return str(size)
    return "full" if size == 1 else f"{100 * size:g}%"


def stratified(
    rows: Positions, strata: Sequence[Any], groups: NDArray[Any] | None, random: np.random.Generator
) -> list[Positions]:
    """Groups in an order of which every beginning holds each stratum by its share.

    The i-th of the n groups of a kind (those whose rows have the same strata) stands near (i + .5) / n, at random.
    """
    members: dict[Any, list[int]] = defaultdict(list)
    for place, row in enumerate(rows.tolist()):
        group = None if groups is None else groups[row]
        members[("row", row) if group is None else group].append(place)
    kinds: dict[Any, list[list[int]]] = defaultdict(list)
    for places in members.values():
        kinds[tuple(sorted(str(strata[place]) for place in places))].append(places)
    placed: list[tuple[float, list[int]]] = []
    for kind in sorted(kinds):
        each = kinds[kind]
        at = (np.arange(len(each)) + random.random(len(each))) / len(each)
        placed += [(float(where), each[which]) for where, which in zip(at, random.permutation(len(each)), strict=True)]
    return [rows[places] for _, places in sorted(placed, key=lambda one: one[0])]


def strata_of(corpus: Corpus, rows: Positions) -> list[Any]:
    """The class of each row, the quarter of its number, or the type of its question."""
    if isinstance(corpus.task, MultiLabel):
        texts = [name for name, modality in corpus.modalities.items() if modality.kind == "text"]
        if not texts:
            return [0] * len(rows)
        said = corpus.cells(texts[0], rows).values
        return ["" if each is None else " ".join(each.lower().split()[:WORDS]) for each in said]
    target = corpus.target[rows]
    return (target if corpus.task.discrete else np.digitize(target, np.quantile(target, (0.25, 0.5, 0.75)))).tolist()
