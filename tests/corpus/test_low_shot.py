from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from understudy.corpus import write_corpus
from understudy.corpus.draw import given_split
from understudy.corpus.low_shot import low_shot, size_name
from understudy.corpus.schema import Schema
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Classification, Regression
from understudy.worlds.picture_world import make_album

ROWS = 400


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Four rows a group, three quarters of one class; the last 40 rows are test rows."""
    random = np.random.default_rng(0)
    return write_corpus(
        tmp_path_factory.mktemp("low") / "corpus",
        Schema(Classification(classes=("a", "b")), {"x": Modality("vector", width=2)}, grouped=True),
        ids=[f"r{row}" for row in range(ROWS)],
        targets=[int(row // 4 % 4 == 0) for row in range(ROWS)],
        groups=[f"g{row // 4}" for row in range(ROWS)],
        cells={"x": Cells("vector", random.standard_normal((ROWS, 2)).astype(np.float32), np.ones(ROWS, bool))},
        splits=lambda made: [given_split(made, name="given", parts=["train"] * 360 + ["test"] * 40)],
    )


@pytest.mark.parametrize("draw", range(3))
def test_subsets_are_nested_by_group_and_stratified(corpus, draw):
    given = corpus.split("given")
    found = low_shot(corpus, given, sizes=(16, 0.1, 80, 1.0), draw=draw)
    assert [len(split.train) for split in found] == [16, 36, 80, 360]
    assert [split.name for split in found] == [f"given-{name}-draw-{draw}" for name in ("16", "10%", "80", "full")]
    for small, large in pairwise(found):
        assert set(small.train) < set(large.train)
    for split in found:
        assert (split.labelled == split.train).all()
        assert (split.test == given.test).all()
        assert set(Counter(corpus.groups[split.train]).values()) == {4}
        share = corpus.target[split.train].mean()
        assert abs(share - 0.25) <= 4 / len(split.train)
        assert corpus.save_split(split).hash


def test_draws_differ_and_repeat(corpus):
    given = corpus.split("given")
    one, two, again = (low_shot(corpus, given, sizes=(40,), draw=draw)[0].train for draw in (0, 1, 0))
    assert set(one) != set(two)
    assert (one == again).all()


def test_labels_that_are_hidden_stay_hidden(corpus):
    given = corpus.split("given")
    few = replace(given, labelled=given.train[:100])
    assert set(low_shot(corpus, few, sizes=(40,))[0].train) <= set(few.labelled)


def test_rows_stand_alone_where_groups_may_part(corpus):
    (found,) = low_shot(corpus, replace(corpus.split("given"), group=False), sizes=(41,))
    assert len(found.train) == 41
    assert max(Counter(corpus.groups[found.train]).values()) < 4


def test_questions_are_drawn_by_type(tmp_path):
    corpus = make_album(tmp_path / "album", "question", rows={"train": 300, "test": 2, "shifted": 2})
    given = corpus.split("given")
    types = np.array([" ".join(text.split()[:2]) for text in corpus.cells("text", given.train).values])
    (found,) = low_shot(corpus, given, sizes=(100,))
    drawn = Counter(types[np.searchsorted(given.train, found.train)])
    for kind, count in Counter(types).items():
        assert abs(drawn[kind] - count / 3) <= 2 + count**0.5 / 3, kind


def test_numbers_are_drawn_by_quarter(tmp_path):
    target = np.random.default_rng(1).standard_normal(200)
    corpus = write_corpus(
        tmp_path / "numbers",
        Schema(Regression(), {"x": Modality("vector", width=1)}, grouped=False, about={}),
        ids=[f"r{row}" for row in range(200)],
        targets=target,
        cells={"x": Cells("vector", target[:, None].astype(np.float32), np.ones(200, bool))},
        splits=lambda made: [given_split(made, name="given", parts=["train"] * 160 + ["test"] * 40)],
    )
    (found,) = low_shot(corpus, corpus.split("given"), sizes=(40,))
    edges = np.quantile(target[:160], (0.25, 0.5, 0.75))
    assert set(np.bincount(np.digitize(target[found.train], edges)).tolist()) <= {9, 10, 11}


@pytest.mark.parametrize("size", [0, -3, 0.0, 361, 1.5, 3])
def test_impossible_sizes(corpus, size):
    with pytest.raises(ValueError, match="rows"):
        low_shot(corpus, corpus.split("given"), sizes=(size,))


def test_names_of_sizes():
    assert [size_name(size) for size in (100, 0.01, 0.005, 0.25, 1.0, 1)] == ["100", "1%", "0.5%", "25%", "full", "1"]
