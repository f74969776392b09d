"""Corpora whose rows hold some modalities only: what is kept, and combinations that cannot be."""

from pathlib import Path

import numpy as np
import pytest

from understudy.corpus import Corpus, Schema, make_split, write_corpus
from understudy.corpus.combinations import unseen_combinations
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification

PAIRS = {"train": (("a", "b"), ("c", "d")), "test": (("a", "c"), ("b", "d"))}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Corpus:
    """Three vectors and a text; `d` lacks in every fifth row, and a label in every seventh."""
    draw, here = np.random.default_rng(0), np.ones(120, bool)
    cells = {m: Cells("vector", draw.normal(size=(120, 2)).astype(np.float32), here) for m in "abc"}
    said = np.arange(120) % 5 > 0
    cells["d"] = Cells("text", [f"row {row}" if there else None for row, there in enumerate(said)], said)
    made = write_corpus(
        tmp_path_factory.mktemp("data") / "corpus",
        Schema(Classification(classes=("x", "y")), {m: Modality("vector", width=2) for m in "abc"} | {"d": Modality("text")}),
        ids=[f"r{row}" for row in range(120)],
        targets=[None if row % 7 == 0 else row % 2 for row in range(120)],
        cells=cells,
    )
    made.save_split(make_split(made, name="main", valid=0.2, test=0.3))
    return made


def kept(made: Corpus, rows: np.ndarray) -> list[str]:
    return ["".join(m for m in made.modalities if made.present(m)[row]) for row in rows]


def test_each_part_holds_its_combinations_alone_and_cells_as_they_were(corpus, tmp_path):
    made = unseen_combinations(corpus, tmp_path / "out", split=corpus.split("main"), **PAIRS)
    split, before = made.split("main"), corpus.split("main")
    for part, wanted in (("train", {"ab", "cd"}), ("valid", {"ac", "bd"}), ("test", {"ac", "bd"})):
        found = kept(made, getattr(split, part))
        assert set(found) == wanted
        first, second = (found.count(each) for each in sorted(wanted))
        assert abs(first - second) <= 2
        old = {corpus.ids[row]: row for row in getattr(before, part)}
        assert {made.ids[row] for row in getattr(split, part)} <= set(old)
        for modality in made.modalities:
            rows = getattr(split, part)[made.present(modality)[getattr(split, part)]]
            same = np.array([old[made.ids[row]] for row in rows], np.intp)
            one, two = made.cells(modality, rows).values, corpus.cells(modality, same).values
            assert list(map(str, one)) == list(map(str, two))
    assert set(made.ids[split.labelled]) == {made.ids[row] for row in split.train if made.has_target[row]}
    assert made.has_target.sum() < len(made)


def test_it_is_drawn_by_its_seed(corpus, tmp_path):
    split = corpus.split("main")
    one, two, other = (
        unseen_combinations(corpus, tmp_path / name, split=split, seed=seed, **PAIRS)
        for name, seed in (("one", 0), ("two", 0), ("other", 1))
    )
    assert one.fingerprint == two.fingerprint != other.fingerprint


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"train": (("a", "b"), ("c", "e"))}, KeyError, "no modality 'e'"),
        ({"train": ()}, ValueError, "train combinations none given"),
        ({"test": (("a", "c"), ("c", "a"))}, ValueError, r"test combinations a\+c, c\+a given; .*each once"),
        ({"test": ((),)}, ValueError, "test combination '' given"),
        ({"test": (("a", "b"),)}, ValueError, r"test combination a\+b is seen: train rows hold a\+b"),
        ({"valid": (("b",),)}, ValueError, r"valid combination b is seen: train rows hold a\+b"),
        ({"train": (("a", "b"),)}, ValueError, r"combination a\+c: no train combination holds c"),
    ],
)
def test_combinations_that_cannot_be_are_refused(corpus, tmp_path, changes, error, said):
    with pytest.raises(error, match=said):
        unseen_combinations(corpus, tmp_path / "out", split=corpus.split("main"), **PAIRS | changes)
    assert not Path(tmp_path / "out").exists()


def test_a_combination_without_any_row_is_refused(corpus, tmp_path):
    split = corpus.split("main")
    lacking = split.train[~corpus.present("d")[split.train]]
    few = type(split)("few", train=lacking, test=split.test, labelled=np.intersect1d(lacking, split.labelled))
    with pytest.raises(ValueError, match=r"combination c\+d without any row: no train row of split 'few' has all of it"):
        unseen_combinations(corpus, tmp_path / "out", split=few, **PAIRS)
