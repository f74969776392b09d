"""Combinations: a corpus whose train rows hold some modalities together, and its test rows such as never met in training."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from understudy.corpus.corpus import Corpus
from understudy.corpus.split import Positions, Split
from understudy.corpus.write import write_corpus
from understudy.prepare.cells import Cells

Combinations = Sequence[Sequence[str]]


def unseen_combinations(
    corpus: Corpus,
    out: Path | str,
    *,
    split: Split,
    train: Combinations,
    test: Combinations,
    valid: Combinations = (),
    seed: int = 0,
) -> Corpus:
    """A new corpus of the rows of `split`, each of which keeps one combination of modalities; with a split of the same name.

    Rows of a part are dealt out evenly at random over its combinations, as far as they have all that these name; rows that have
    none of them in whole are left out. valid: as `test` when empty, so that what generalises to new combinations is chosen, on
    other rows. KeyError for a modality that the corpus lacks. ValueError for an empty or repeated combination, for one of test or
    validation rows that train rows hold together, for one of a modality that no train row keeps, and for one without any row.
    """
    parts = {part: tuple(map(tuple, each)) for part, each in (("train", train), ("test", test), ("valid", valid or test))}
    check_combinations(corpus, parts)
    random, kept = np.random.default_rng([seed, 7]), {m: np.zeros(len(corpus), bool) for m in corpus.modalities}
    dealt = dict[str, Positions]()
    for part, combinations in parts.items():
        found = deal(corpus, getattr(split, part), combinations, random, part=f"{part} row of split {split.name!r}")
        for combination, rows in zip(combinations, found, strict=True):
            for modality in combination:
                kept[modality][rows] = True
        dealt[part] = np.sort(np.concatenate(found))
    rows = np.sort(np.concatenate(list(dealt.values())))
    place = np.full(len(corpus), -1)
    place[rows] = np.arange(len(rows))
    labelled = place[np.intersect1d(split.labelled, dealt["train"])]
    read = [m for m in corpus.modalities if kept[m].any()]
    return write_corpus(
        out,
        replace(corpus.schema, modalities={m: corpus.modalities[m] for m in read}),
        ids=corpus.ids[rows],
        targets=[y if has else None for y, has in zip(corpus.target[rows], corpus.has_target[rows], strict=True)],
        groups=None if corpus.groups is None else corpus.groups[rows],
        weights=None if corpus.weights is None else corpus.weights[rows],
        cells={m: hidden(corpus.cells(m, rows), kept[m][rows]) for m in read},
        splits=[replace(split, **{part: place[each] for part, each in dealt.items()}, labelled=labelled, seed=seed, hash="")],
    )


def check_combinations(corpus: Corpus, parts: Mapping[str, Combinations]) -> None:
    """KeyError and ValueError as `unseen_combinations` has them, but for rows."""
    sets = {part: [frozenset(each) for each in combinations] for part, combinations in parts.items()}
    learnt = frozenset[str]().union(*sets["train"])
    for part, combinations in parts.items():
        if not combinations or len(set(sets[part])) < len(combinations):
            raise ValueError(f"{part} combinations {listed(combinations)} given; name at least one, each once")
        for named, whole in zip(combinations, sets[part], strict=True):
            if unknown := [m for m in named if m not in corpus.modalities]:
                raise KeyError(f"no modality {unknown[0]!r}; the corpus has {', '.join(corpus.modalities)}")
            if not named or len(whole) < len(named):
                raise ValueError(f"{part} combination {'+'.join(named)!r} given; it needs at least one modality, each once")
            if part != "train" and (together := [each for each in sets["train"] if whole <= each]):
                raise ValueError(f"{part} combination {'+'.join(named)} is seen: train rows hold {'+'.join(sorted(together[0]))}")
            if lacking := sorted(whole - learnt):
                raise ValueError(f"{part} combination {'+'.join(named)}: no train combination holds {', '.join(lacking)}")


def deal(
    corpus: Corpus, rows: Positions, combinations: Combinations, random: np.random.Generator, *, part: str
) -> list[Positions]:
    """The rows of each combination; each goes to that of its own which has the fewest so far, of equals the first."""
    has = np.stack([np.all([corpus.present(m)[rows] for m in each], axis=0) for each in combinations], axis=1)
    found: list[list[int]] = [[] for _ in combinations]
    for at in random.permutation(len(rows)).tolist():
        fits = np.flatnonzero(has[at]).tolist()
        if fits:
            min((found[c] for c in fits), key=len).append(int(rows[at]))
    for each, combination in zip(found, combinations, strict=True):
        if not each and len(rows):
            raise ValueError(f"combination {'+'.join(combination)} without any row: no {part} has all of it and is left for it")
    return [np.array(each, np.intp) for each in found]


def hidden(cells: Cells, kept: NDArray[np.bool_]) -> Cells:
    """Cells with all others absent."""
    here = cells.present & kept
    ragged = cells.kind not in ("vector", "table")
    values = [value if there else None for value, there in zip(cells.values, here, strict=True)] if ragged else cells.values
    return Cells(cells.kind, values, here)


def listed(combinations: Combinations) -> str:
    """a+b, c."""
    return ", ".join("+".join(each) for each in combinations) or "none"
