"""Draw splits: groups and exact duplicates stay together, strata keep their shares, few labels are drawn by seed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from understudy.corpus.assign import assign
from understudy.corpus.corpus import Corpus
from understudy.corpus.numbered import Members, numbered
from understudy.corpus.opened import Given, opened
from understudy.corpus.split import Positions, Split, validate
from understudy.tasks import Classification

STRATA = 5
"""Quantile bins that stand in for classes where the target is a number."""
LEAST_HELD, LEAST_OF_CLASS = 100, 10
"""Validation rows, and rows of each class, below which holding them out costs more than choosing by them gains.

Accuracy of plain students, measured on train rows: 32 of 210 labels of ten classes held out -.015, 100 of 770 of a hundred -.05;
126 of 840 of ten 0, 167 of 1,038 of four +.05; the mean error of a number, 150 of 1,038 held out, +2.5 %.
"""
SPELLINGS = {"train": "train", "valid": "valid", "val": "valid", "dev": "valid", "validation": "valid", "test": "test"}


def make_split(
    corpus: Given,
    *,
    name: str,
    target: str = "",
    valid: float = 0.1,
    test: float = 0.2,
    group: bool = True,
    labelled: int | None = None,
    draw: int = 0,
    seed: int = 0,
) -> Split:
    """Draw a split of the labelled rows; it is not saved yet. corpus, target: as `us.advise` takes them.

    valid, test: shares of the rows; valid may be 0. group: keep each group in one part (of a corpus that has groups).
    labelled: hide all but this many train labels, drawn by (seed, draw). Each class (or target quantile) keeps its share. Rows
    without a target join train; if their group or duplicate is elsewhere, they stand in no part.

    >>> import understudy as us
    >>> rows = [{"note": f"{'warm' if i % 2 else 'cold'} day {i} of it", "x": i % 2 + i % 7 / 9, "y": i % 2} for i in range(80)]
    >>> split = us.make_split(rows, name="main", target="y")
    >>> len(split.train), len(split.valid), len(split.test)
    (56, 8, 16)
    """
    if not (0 <= valid < 1 and 0 < test < 1 and valid + test < 1):
        raise ValueError(f"valid={valid} and test={test}: shares of the rows, test above 0, together below 1")
    corpus = opened(corpus, target=target)
    grouped = group and corpus.groups is not None
    strata = _strata(corpus)
    part = assign(units_of(corpus, grouped=grouped), strata, (1 - valid - test, valid, test), seed)
    part[(part > 0) & ~corpus.has_target] = -1
    train, held, tested = (np.flatnonzero(part == number) for number in range(3))
    chosen = train[corpus.has_target[train]]
    if labelled is not None:
        chosen = draw_labelled(chosen, strata, labelled, seed=seed, draw=draw)
    return Split(name, train, tested, chosen, held, group=grouped, seed=seed)


def make_folds(corpus: Given, *, target: str = "", folds: int = 5, valid: float = 0.1, seed: int = 0) -> list[Split]:
    """`fold-0` ...: every labelled row is tested once; `valid`, a share of the rows, is drawn from the others of each fold.

    Groups and exact duplicates stay together, classes (or target quantiles) keep their shares, as in `make_split`.

    >>> import understudy as us
    >>> rows = [{"note": f"{'warm' if i % 2 else 'cold'} day {i} of it", "x": i % 2 + i % 7 / 9, "y": i % 2} for i in range(80)]
    >>> folds = us.make_folds(rows, target="y", folds=4)
    >>> [(split.name, len(split.test)) for split in folds]
    [('fold-0', 20), ('fold-1', 20), ('fold-2', 20), ('fold-3', 20)]
    """
    if folds < 2 or not 0 <= valid < 1 - 1 / folds:
        raise ValueError(f"folds={folds}, valid={valid}: expected 2 folds or more, and a share of the rows below 1 - 1 / folds")
    corpus = opened(corpus, target=target)
    units, strata = units_of(corpus, grouped=corpus.groups is not None), _strata(corpus)
    fold = assign(units, strata, [1 / folds] * folds, seed)
    splits = []
    for number in range(folds):
        rest = np.flatnonzero(fold != number)
        share = valid / (1 - 1 / folds)
        part = np.full(len(corpus), 2)
        part[rest] = assign(numbered(pa.array(units[rest])), strata[rest], (1 - share, share), seed)
        part[(part > 0) & ~corpus.has_target] = -1
        splits.append(replace(_given(corpus, f"fold-{number}", part), seed=seed))
    return splits


def hold_out(corpus: Corpus, split: Split, share: float, *, seed: int = 0) -> Split:
    """A split without validation rows, given a `share` of its labelled train rows for that: the same rules as in `make_split`.

    An unlabelled row whose group or duplicate is held out stands in no part.
    """
    if not 0 <= share < 1 or len(split.valid):
        raise ValueError(
            f"share={share} of {len(split.train)} train rows beside {len(split.valid)} validation rows: "
            "expected from 0 to below 1, beside none"
        )
    # What was published is checked as it is: afterwards a train row that crosses could be called a validation row.
    validate(split, corpus.named)
    if not share:
        return split
    rows, labelled = split.train, np.isin(split.train, split.labelled)
    strata = np.where(labelled, _strata(corpus)[rows], -1)
    units = units_of(corpus, grouped=split.group)[rows]
    held = assign(numbered(pa.array(units)), strata, (1 - share, share), seed) == 1
    return replace(split, train=rows[~held], labelled=rows[labelled & ~held], valid=rows[labelled & held], seed=seed)


def with_validation(corpus: Corpus, split: Split, share: float) -> Split:
    """The split as a run uses it: one without validation rows has a `share` of its labelled train rows held out.

    As it is where that would be fewer than 100 rows or 10 for each class, or where one group is more than the share.
    Its name and hash stay those of the split that was saved, and the rows follow from them: nothing is drawn at random.
    """
    classes = corpus.task.outputs if isinstance(corpus.task, Classification) else 0
    if len(split.valid) or not share or share * len(split.labelled) < max(LEAST_HELD, LEAST_OF_CLASS * classes):
        return split
    units = units_of(corpus, grouped=split.group)[split.labelled]
    if share * len(np.unique(units)) < 1:
        return split
    return replace(hold_out(corpus, split, share), seed=split.seed)


def leave_one_group_out(corpus: Given, *, target: str = "", valid_groups: int = 1) -> list[Split]:
    """One split a group, `leave-GROUP`, which is tested; the next groups in sorted order validate (0 = none), the others train.

    A group without a labelled row can neither test nor validate: it has no split of its own, and trains in every other. Rows that
    equal a row of a later-used part (test before valid before train) are left out of the others.
    """
    corpus = opened(corpus, target=target)
    groups = corpus.groups
    if groups is None:
        raise ValueError("leave one group out needs a corpus with groups")
    names = sorted({each for each in groups[corpus.has_target] if each is not None})
    if len(names) < valid_groups + 2:
        raise ValueError(
            f"{len(names)} groups with a labelled row: too few to test one, validate on {valid_groups} and train on the rest"
        )
    number_of = dict(zip(groups, corpus.named.group_numbers, strict=True))
    of_group, of_content = Members(corpus.named.group_numbers), Members(corpus.alike)
    splits = []
    for place, name in enumerate(names):
        valid = [names[(place + 1 + step) % len(names)] for step in range(valid_groups)]
        held = {2: [name], 1: valid}
        part = np.zeros(len(corpus), np.int8)
        rows = {wanted: np.concatenate([of_group.of(number_of[each]) for each in some]) for wanted, some in held.items() if some}
        for wanted, here in rows.items():
            part[here] = np.where(corpus.has_target[here], wanted, -1)
        for wanted, here in rows.items():
            equal = of_content.of_several(np.unique(corpus.alike[here[part[here] == wanted]]))
            part[equal[part[equal] < wanted]] = -1
        splits.append(_given(corpus, f"leave-{name}", part))
    return splits


def given_split(corpus: Corpus, *, name: str, parts: Sequence[str | None] | NDArray[Any]) -> Split:
    """A split from a column of train / valid (val, dev, validation) / test; empty cells stand in no part."""
    part, said = np.full(len(corpus), -1), pa.array(parts, pa.large_string())
    known, numbers = said.unique().drop_null().to_pylist(), numbered(said)
    for number, each in enumerate(known):
        if each.strip():
            rows = np.flatnonzero(numbers == number)
            spelled = SPELLINGS.get(each.strip().lower())
            if spelled is None:
                raise ValueError(f"split column, row {corpus.ids[rows[0]]!r}: {each!r} is none of {', '.join(SPELLINGS)}")
            part[rows] = ("train", "valid", "test").index(spelled)
    return _given(corpus, name, part)


def _given(corpus: Corpus, name: str, part: NDArray[Any]) -> Split:
    train, valid, test = (np.flatnonzero(part == number) for number in range(3))
    return Split(name, train, test, train[corpus.has_target[train]], valid, group=corpus.groups is not None)


def draw_labelled(rows: Positions, strata: NDArray[Any], count: int, *, seed: int, draw: int) -> Positions:
    """`count` of `rows`, each stratum by its share (largest remainder), drawn by (seed, draw); sorted."""
    if not 1 <= count <= len(rows):
        raise ValueError(f"labelled={count}: train has {len(rows)} rows with a target")
    random = np.random.default_rng([seed, draw, 2])
    each = [random.permutation(rows[strata[rows] == stratum]) for stratum in np.unique(strata[rows])]
    exact = np.array([len(some) * count / len(rows) for some in each])
    wanted = np.floor(exact).astype(int)
    # Ties are broken at random, else small draws would always favour the first classes.
    order = np.lexsort((random.permutation(len(each)), wanted - exact))
    wanted[order[: count - wanted.sum()]] += 1
    return np.sort(np.concatenate([some[:few] for some, few in zip(each, wanted, strict=True)]))


def _strata(corpus: Corpus) -> NDArray[np.intp]:
    """A stratum a row; -1 for rows without a target."""
    strata = np.zeros(len(corpus), np.intp)
    if corpus.task.filler.ndim:
        # Rows of several answers are of no one class.
        return np.where(corpus.has_target, strata, -1)
    known = corpus.target[corpus.has_target]
    if corpus.task.discrete:
        strata = corpus.target.astype(np.intp)
    elif len(known):
        strata = np.digitize(corpus.target, np.quantile(known, np.arange(1, STRATA) / STRATA))
    return np.where(corpus.has_target, strata, -1)


def units_of(corpus: Corpus, *, grouped: bool) -> NDArray[np.intp]:
    """A unit a row: rows joined, over any chain, by equal content or, where `grouped`, an equal group."""
    anything = np.any([corpus.present(modality) for modality in corpus.modalities], axis=0)
    # Rows without any modality are equal but no duplicates.
    keys = [np.where(anything, corpus.alike, -1)] + ([corpus.named.group_numbers] if grouped else [])
    keys = [np.where(key < 0, key.max() + 1 + np.arange(len(key)), key) for key in keys]
    unit = np.arange(len(corpus))
    while True:
        before = unit
        for key in keys:
            least = np.full(key.max() + 1, len(corpus))
            np.minimum.at(least, key, unit)
            unit = least[key]
        if (unit == before).all():
            return numbered(pa.array(unit))
