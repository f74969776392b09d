"""Choices, regions and several answers in a corpus: round trips, refusals, facts, splits, batches."""

import json
import re

import numpy as np
import pytest

from study.small_answers import WIDTH, make_answers, make_choices
from understudy.batches.loader import Loader
from understudy.corpus import Corpus, Schema, make_folds, make_split, write, write_corpus
from understudy.corpus.check import check
from understudy.evaluate.advice import advise
from understudy.evaluate.features import Features
from understudy.prepare import Choices, Regions
from understudy.prepare.cells import Cells, Modality
from understudy.tasks import Choice, Classification, MultiLabel

HERE = np.ones(3, bool)
SEVERAL = MultiLabel(("a", "b", "c"), entries=2)
BOX = (0.1, 0.2, 0.5, 0.6)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory) -> Corpus:
    return make_choices(tmp_path_factory.mktemp("choices") / "c")


@pytest.fixture(scope="module")
def answered(tmp_path_factory) -> Corpus:
    return make_answers(tmp_path_factory.mktemp("answers") / "c")


def texts(*rows) -> Cells:
    return Cells("choices", list(rows), np.array([row is not None for row in rows]))


def regions(*rows) -> Cells:
    values = [None if row is None else np.array(row, np.float32) for row in rows]
    return Cells("regions", values, np.array([row is not None for row in rows]))


def save(folder, task, modality, cells, targets, name="m") -> Corpus:
    ids = [f"r{row}" for row in range(len(cells))]
    return write_corpus(folder / "c", Schema(task, {name: modality}), ids=ids, targets=targets, cells={name: cells})


@pytest.mark.parametrize("shard", [1, 2**30])
def test_round_trip(tmp_path, monkeypatch, shard):
    monkeypatch.setattr(write, "SHARD_BYTES", shard)
    said = [("ä", "b b"), None, ("c", "d")]
    one = save(tmp_path, Choice(2), Modality("choices", width=2), texts(*said), [1, None, 0])
    assert one.cells("m", [2, 1, 0, 2]).values == [said[2], None, said[0], said[2]]
    assert (one.target.tolist(), one.target.dtype, one.has_target.tolist()) == ([1, 0, 0], np.int64, [True, False, True])
    assert len(one.shards) == (3 if shard == 1 else 1)
    boxes = [[(*BOX, 1, np.nan)], None, [(*BOX, 2, 3), (0, 0, 1, 1, 4, 5)]]
    two = save(tmp_path / "two", SEVERAL, Modality("regions", width=2), regions(*boxes), [[(2, 1, 0.9)], None, []])
    for found, given in zip(two.cells("m", [0, 1, 2]).values, regions(*boxes).values, strict=True):
        assert (found is None) == (given is None)
        if given is not None:
            np.testing.assert_array_equal(found, given)
    assert (two.target.shape, two.target.dtype, two.has_target.tolist()) == ((3, 2, 3), np.float32, [True, False, True])
    assert two.target[0].tolist() == [[2, 1, pytest.approx(0.9)], [-1, 0, 0]]
    assert (two.target[1:] == [-1, 0, 0]).all()
    again = save(
        tmp_path / "three",
        SEVERAL,
        Modality("regions", width=2),
        regions(*boxes),
        np.where(two.has_target[:, None, None], two.target, np.nan),
    )
    assert again.fingerprint == two.fingerprint
    assert not check(two).errors


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("a", "b"), r"row 'r1': expected a tuple of 3 choices, \('a', 'b'\) given"),
        (["a", "b", "c"], "row 'r1': expected a tuple of 3"),
        (("a", " ", "c"), "row 'r1': choice 1 is ' '; expected a text"),
        (("a", None, "c"), "row 'r1': choice 1 is None"),
    ],
)
def test_choices_that_are_none_are_refused(tmp_path, row, words):
    with pytest.raises(ValueError, match=words):
        save(tmp_path, Choice(3), Modality("choices", width=3), texts(("a", "b", "c"), row), [0, 1])
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([(*BOX, 1), (0.1, 0.2, 1.1, 0.6, 1)], r"row 'r1': box \[.*\] of region 1: expected 0 <= x1 < x2 <= 1"),
        ([(-0.1, 0.2, 0.5, 0.6, 1)], "of region 0"),
        ([(0.5, 0.2, 0.1, 0.6, 1)], "of region 0"),
        ([(0.1, 0.2, 0.5, 0.2, 1)], "of region 0"),
        ([(0.1, np.nan, 0.5, 0.6, 1)], "of region 0"),
        ([(*BOX, np.inf)], "a feature of region 0 is infinite"),
        ([(*BOX, 1, 2)], r"shape \(1, 6\); expected one or more, each a box and 1 features"),
        (np.zeros((0, 5)), "expected one or more"),
    ],
)
def test_regions_that_are_none_are_refused(tmp_path, row, words):
    with pytest.raises(ValueError, match=words):
        save(tmp_path, SEVERAL, Modality("regions", width=1), regions([(*BOX, 1)], row), [[], []])
    assert not any(tmp_path.iterdir())


def test_targets_that_are_none_name_the_row(tmp_path):
    offered = texts(("a", "b"), ("c", "d"))
    for target, words in ((2, r"row 'r1': class index 2 .*expected 0\.\.1"), (0.5, "row 'r1': an index is a whole number")):
        with pytest.raises(ValueError, match=words):
            save(tmp_path, Choice(2), Modality("choices", width=2), offered, [0, target])
    for target in ([(3, 1, 1)], [(0, 2, 1)], [(0, 1, 1)] * 2):
        with pytest.raises(ValueError, match="row 'r1': entries"):
            save(tmp_path, SEVERAL, Modality("regions", width=1), regions(*[[(*BOX, 1)]] * 3), [None, target, []])
    assert not any(tmp_path.iterdir())


def test_a_schema_says_what_goes_together():
    for task, modality, words in (
        (Choice(3), Modality("choices", width=4), "between 3 choices: modality 'm' has 4"),
        (Choice(3), Modality("text"), "no modality of kind choices among m"),
        (Classification(("a", "b")), Modality("choices", width=2), "the task is a classification, not a choice"),
        (SEVERAL, Modality("regions"), "a regions needs a width of at least 1"),
    ):
        with pytest.raises(ValueError, match=re.escape(words)):
            Schema(task, {"m": modality})
    both = Schema(Choice(3), {"m": Modality("choices", width=3), "image": Modality("image")})
    assert Schema.from_json(json.loads(json.dumps(both.to_json()))) == both


def test_what_check_says(chosen, answered):
    assert check(chosen).facts["target"] == {"labelled": 109, "classes": {"0": 32, "1": 42, "2": 35}}
    facts = check(answered).facts["target"]
    assert facts == {"labelled": 109, "classes": WIDTH, "without_a_class": 0.0, "ceiling": pytest.approx(0.9)}


def test_classes_that_nobody_names_are_found(tmp_path):
    corpus = save(tmp_path, SEVERAL, Modality("regions", width=1), regions(*[[(*BOX, 1)]] * 3), [[(1, 1, 0.6)], [], []])
    found = check(corpus)
    assert "2 of 3 classes stand in no row, such as 'a', 'c'" in found.warnings
    assert "67% of the labelled rows name no class" in found.warnings
    assert found.facts["target"]["ceiling"] == pytest.approx(0.2)


def test_splits_are_drawn(chosen, answered):
    for corpus in (chosen, answered):
        split = make_split(corpus, name="few", labelled=12)
        assert len(split.labelled) == 12
        assert sum(len(fold.test) for fold in make_folds(corpus, folds=3)) == corpus.has_target.sum()


def test_batches(chosen, answered):
    rows = np.arange(len(chosen))
    view = Choices.bpe(vocabulary=300).fit(chosen.cells("text", rows))
    batch = next(Loader(chosen, rows, {"text": {"v": view}}, task=chosen.task, batch_size=9, shuffle=False).batches(0))
    assert batch.inputs["text"]["v"]["ids"].shape[2] == 3
    assert batch.target.tolist() == chosen.target[:9].tolist()
    assert batch.truth is None
    seen = Regions().fit(answered.cells("regions", rows))
    loader = Loader(answered, rows, {"regions": {"v": seen}}, task=answered.task, batch_size=9, labelled=rows[1:5], shuffle=False)
    batch = next(loader.batches(0))
    assert batch.labelled.tolist() == [False] + [True] * 4 + [False] * 4
    np.testing.assert_array_equal(batch.target[1:5], answered.task.collate(answered.target[1:5]))
    assert not batch.target[~batch.labelled].any()
    assert batch.truth is not None
    np.testing.assert_array_equal(batch.truth[1:5], answered.target[1:5])
    assert (batch.truth[~batch.labelled][..., 0] == -1).all()
    assert batch.keep("regions").truth is batch.truth


def test_rows_of_like_length_share_batches(chosen):
    rows = np.flatnonzero(chosen.has_target)
    view = Choices.bpe(vocabulary=300).fit(chosen.cells("text", rows))
    alike = Loader(chosen, rows, {"text": {"v": view}}, task=chosen.task, batch_size=10, similar_length="text")
    steps = [batch.inputs["text"]["v"]["mask"].any(dim=2).sum(dim=1) for batch in alike.batches(0)]
    assert sum(map(len, steps)) == len(rows)
    mixed = Loader(chosen, rows, {"text": {"v": view}}, task=chosen.task, batch_size=10)
    spread = [batch.inputs["text"]["v"]["mask"].any(dim=2).sum(dim=1) for batch in mixed.batches(0)]
    assert np.mean([float(each.float().std()) for each in steps]) < np.mean([float(each.float().std()) for each in spread])


def test_advice_on_several_answers(answered, chosen):
    found = advise(answered, ["text"], split=answered.split("main"))
    assert found.probes["all"].score > found.probes["text"].score
    cells = {"regions": answered.cells("regions", range(9))}
    assert Features.fit(cells, answered.modalities).narrow(cells).shape[0] == 9
    with pytest.raises(ValueError, match="no probe for a choice"):
        advise(chosen, ["text"], split=chosen.split("main"))
